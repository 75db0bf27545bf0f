import type { Image, Schemas } from '../api/client.ts'
import { words } from '../i18n/en/vms.ts'
import { tagsOf } from '../lib/tags.ts'
import { Check, Field } from '../ui/field.tsx'

const w = words.machine

/** What a VM is beside its size. Unset: as the server has it for the image. */
export type Machine = {
  description: string
  /** As typed. */
  tags: string
  display: boolean | undefined
  firmware: Schemas['CreateVM']['firmware']
  secureBoot: boolean
  tpm: boolean
  cdrom: string
  autostart: boolean
}

export const plain: Machine = {
  description: '',
  tags: '',
  display: undefined,
  firmware: undefined,
  secureBoot: false,
  tpm: false,
  cdrom: '',
  autostart: false,
}

const firmwares = ['bios', 'uefi', 'direct'] as const

/** Its part of the request: only what differs from what the server does anyway. */
export function machineOf(m: Machine): Partial<Schemas['CreateVM']> {
  return {
    ...(m.description.trim() ? { description: m.description.trim() } : {}),
    ...(tagsOf(m.tags).length > 0 ? { tags: tagsOf(m.tags) } : {}),
    ...(m.display === undefined ? {} : { display: m.display }),
    ...(m.firmware ? { firmware: m.firmware } : {}),
    ...(m.secureBoot ? { secure_boot: true } : {}),
    ...(m.tpm ? { tpm: true } : {}),
    ...(m.cdrom ? { cdrom: m.cdrom } : {}),
    ...(m.autostart ? { autostart: { enabled: true } } : {}),
  }
}

type Props = {
  machine: Machine
  set: (change: Partial<Machine>) => void
  faults: Record<string, string>
  /** The image that the disk starts from. */
  image: Image | undefined
  /** What it can boot from first. */
  discs: readonly Image[]
}

export function MachineFields({ machine: m, set, faults, image, discs }: Props) {
  const direct = (m.firmware ?? image?.firmware) === 'direct'
  return (
    <>
      <Field label={w.description} fault={faults.description}>
        {(c) => <input {...c} autoComplete="off" maxLength={1000} value={m.description} onChange={(e) => set({ description: e.target.value })} />}
      </Field>
      <Field label={words.vms.tags} hint={words.vms.tagsHint} fault={faults.tags}>
        {(c) => <input {...c} autoComplete="off" spellCheck={false} maxLength={1100} value={m.tags} onChange={(e) => set({ tags: e.target.value })} />}
      </Field>
      <Check label={w.autostart} checked={m.autostart} onChange={(e) => set({ autostart: e.target.checked })} />
      <Check label={w.display} hint={w.displayHint} checked={m.display ?? !direct} onChange={(e) => set({ display: e.target.checked })} />
      <div className="columns">
        <Field label={w.firmware} fault={faults.firmware}>
          {(c) => (
            <select {...c} value={m.firmware ?? ''} onChange={(e) => set({ firmware: firmwares.find((f) => f === e.target.value) })}>
              <option value="">{w.asImage}</option>
              {firmwares.map((f) => (
                <option key={f} value={f}>
                  {w.firmwares[f]}
                </option>
              ))}
            </select>
          )}
        </Field>
        {discs.length > 0 ? (
          <Field label={w.cdrom} fault={faults.cdrom}>
            {(c) => (
              <select {...c} value={m.cdrom} onChange={(e) => set({ cdrom: e.target.value })}>
                <option value="">{words.common.none}</option>
                {discs.map((i) => (
                  <option key={i.id} value={i.id}>
                    {i.name}
                  </option>
                ))}
              </select>
            )}
          </Field>
        ) : null}
      </div>
      <Check label={w.secureBoot} checked={m.secureBoot} onChange={(e) => set({ secureBoot: e.target.checked })} />
      <Check label={w.tpm} checked={m.tpm} onChange={(e) => set({ tpm: e.target.checked })} />
    </>
  )
}
