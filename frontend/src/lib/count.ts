const plain = new Intl.NumberFormat('en')
/** "12,345". */
export const count = (n: number): string => plain.format(n)

/** "1 VM", "12,345 VMs". */
export const plural = (n: number, one: string, many: string): string => `${count(n)} ${n === 1 ? one : many}`
