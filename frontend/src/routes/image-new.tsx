import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import type { Schemas } from '../api/client.ts'
import { useRights } from '../auth/rights.ts'
import { words } from '../i18n/en/images.ts'
import { Catalogue } from '../images/catalogue.tsx'
import { useCreateImage } from '../images/create.ts'
import { Check, Field } from '../ui/field.tsx'
import { NotYours } from '../ui/make.tsx'
import { PageHead, Ready } from '../ui/page.tsx'
import { ErrorView } from '../ui/views.tsx'

const w = words.images

export function NewImagePage() {
  const { from = 'upload' } = useSearch({ from: '/shell/images/new' })
  const navigate = useNavigate()
  const done = () => void navigate({ to: '/images' })
  const { images: write, known } = useRights()
  if (known && !write)
    return (
      <>
        <PageHead title={w.add} />
        <NotYours why={words.common.forbidden('image.write')} />
      </>
    )
  return (
    <>
      <PageHead title={w.add} />
      <nav className="tabs" aria-label={w.from}>
        {(['upload', 'url', 'catalogue'] as const).map((each) => (
          <Link
            key={each}
            to="/images/new"
            search={{ from: each }}
            aria-current={each === from ? 'page' : undefined}
            activeProps={{}}
          >
            {w[each]}
          </Link>
        ))}
      </nav>
      {from === 'catalogue' ? <Catalogue onImport={done} /> : <One key={from} from={from} onDone={done} />}
      <Ready />
    </>
  )
}

/** A name for an image out of a file's: letters, digits and hyphens are safe everywhere. */
export function nameOf(file: string): string {
  const base = file.split('/').pop()?.split('?')[0] ?? ''
  return base
    .replace(/\.(qcow2|img|raw|iso|vmdk|vhdx?|gz|xz|zst|bz2|tar)$/gi, '')
    .toLowerCase()
    .replace(/[^a-z0-9.-]+/g, '-')
    .replace(/^[-.]+|[-.]+$/g, '')
    .slice(0, 63)
}

function One({ from, onDone }: { from: 'upload' | 'url'; onDone: () => void }) {
  const { everyone } = useRights()
  const create = useCreateImage(onDone)
  const [name, setName] = useState('')
  const [file, setFile] = useState<File>()
  const suggest = (source: string) => setName((typed) => typed || nameOf(source))
  const submit = (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    if (create.isPending) return
    const form = new FormData(event.currentTarget)
    const request: Schemas['CreateImage'] = {
      name,
      checksum: String(form.get('checksum')) || undefined,
      public: form.has('public') || undefined,
    }
    if (from === 'url') create.mutate({ request: { ...request, url: String(form.get('url')) } })
    else if (file) create.mutate({ request: { ...request, bytes: file.size }, file })
  }
  return (
    <form className="form" onSubmit={submit}>
      <section className="card">
        {create.error ? <ErrorView error={create.error} /> : null}
        {from === 'upload' ? (
          <Field label={w.file} hint={w.fileHint}>
            {(c) => (
              <input
                {...c}
                type="file"
                required
                onChange={(e) => {
                  const chosen = e.target.files?.[0]
                  setFile(chosen)
                  if (chosen) suggest(chosen.name)
                }}
              />
            )}
          </Field>
        ) : (
          <Field label={w.address}>
            {(c) => (
              <input {...c} name="url" type="url" required maxLength={2048} onBlur={(e) => suggest(e.target.value)} />
            )}
          </Field>
        )}
        <Field label={w.as}>
          {(c) => (
            <input
              {...c}
              name="name"
              autoComplete="off"
              spellCheck={false}
              required
              maxLength={63}
              value={name}
              onChange={(e) => setName(e.target.value)}
            />
          )}
        </Field>
        <Field label={w.checksum} hint={w.checksumHint}>
          {(c) => (
            <input
              {...c}
              name="checksum"
              className="input mono"
              autoComplete="off"
              spellCheck={false}
              maxLength={140}
            />
          )}
        </Field>
        {everyone ? <Check label={w.public} name="public" /> : null}
        <div>
          <button type="submit" className="button primary" aria-disabled={create.isPending}>
            {from === 'upload' ? w.begin : w.import}
          </button>
        </div>
      </section>
    </form>
  )
}
