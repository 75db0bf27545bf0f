/** Line drawings on a 16 by 16 grid; the words beside them say what they mean. */
const drawings = {
  dashboard: 'M2 2.5h5v6H2zM9 2.5h5v3.5H9zM2 10.5h5v3H2zM9 8h5v5.500H9z',
  vms: 'M2 3h12v8H2zM5.500 13.500h5M8 11v2.500',
  images: 'M8 2c3.300 0 6 .9 6 2s-2.700 2-6 2-6-.9-6-2 2.700-2 6-2zM2 4v8c0 1.100 2.700 2 6 2s6-.9 6-2V4M2 8c0 1.100 2.700 2 6 2s6-.9 6-2',
  networks: 'M8 2v4M3.500 14v-3.500h9V14M8 6v4.500M6.500 2h3v3h-3zM2 12h3v2.500H2zM11 12h3v2.500h-3z',
  nodes: 'M2.500 2.500h11v4.500h-11zM2.500 9h11v4.500h-11zM5 4.750h.01M5 11.250h.01',
  operations: 'M2.500 4h2M2.500 8h2M2.500 12h2M7 4h6.500M7 8h6.500M7 12h6.500',
  events: 'M8 2.200a5.800 5.800 0 1 0 0 11.600A5.800 5.800 0 0 0 8 2.200zM8 5v3.200l2.200 1.300',
  users: 'M8 8a2.750 2.750 0 1 0 0-5.500A2.750 2.750 0 0 0 8 8zM2.700 14c.5-2.700 2.600-4 5.300-4s4.800 1.300 5.300 4',
  roles: 'M8 1.800l5.200 2v3.900c0 3-2.100 5.300-5.200 6.500-3.100-1.200-5.200-3.500-5.200-6.500V3.800zM5.800 8l1.600 1.600L10.400 6.500',
  tenants: 'M3 14V4.500l5-2.300 5 2.300V14zM6 14v-3h4v3M6 6.500h.01M10 6.500h.01M6 8.800h.01M10 8.800h.01',
  audit: 'M4 1.800h5.500L12.500 5v9.200H4zM9.300 2v3.200h3M6 8h4.500M6 10.700h4.500',
  settings: 'M2 5h7M12.500 5H14M2 11h1.500M7 11h7M9 5a1.750 1.750 0 1 0 3.500 0A1.750 1.750 0 0 0 9 5zM3.500 11A1.750 1.750 0 1 0 7 11a1.750 1.750 0 0 0-3.500 0z',
  search: 'M7 2.500a4.500 4.500 0 1 0 0 9 4.500 4.500 0 0 0 0-9zM10.300 10.300 14 14',
  menu: 'M2.500 4.500h11M2.500 8h11M2.500 11.500h11',
  more: 'M3.500 8h.01M8 8h.01M12.500 8h.01',
} as const
export type IconName = keyof typeof drawings

export function Icon({ name }: { name: IconName }) {
  return (
    <svg width="16" height="16" viewBox="0 0 16 16" fill="none" stroke="currentColor" strokeWidth="1.4" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">
      <path d={drawings[name]} />
    </svg>
  )
}
