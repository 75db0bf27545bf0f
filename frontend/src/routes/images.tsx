import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, body, type Image } from '../api/client.ts'
import { images } from '../api/queries.ts'
import { useRights } from '../auth/rights.ts'
import { words } from '../i18n/en/images.ts'
import { FailedImports } from '../images/failed.tsx'
import { UploadView } from '../images/upload-view.tsx'
import { startUpload, uploads } from '../images/uploads.ts'
import { bytes, percent } from '../lib/format.ts'
import { useStore } from '../lib/store.ts'
import { Action } from '../ui/action.tsx'
import { ConfirmDialog } from '../ui/confirm.tsx'
import { DataTable } from '../ui/data-table.tsx'
import { Make } from '../ui/make.tsx'
import { PageHead, Ready } from '../ui/page.tsx'
import { State } from '../ui/state.tsx'
import { Time } from '../ui/time.tsx'
import { toastError } from '../ui/toast.tsx'
import { Empty, Loaded } from '../ui/views.tsx'

const w = words.images

export function ImagesPage() {
  const query = useQuery(images())
  const why = useRights().images ? undefined : words.common.forbidden('image.write')
  const sending = [...useStore(uploads).values()]
  const [leaving, setLeaving] = useState<Image>()
  return (
    <>
      <PageHead title={w.title}>
        <Make to="/images/new" label={w.add} why={why} />
      </PageHead>
      <div className="stack">
        {sending.map((u) => (
          <div key={u.image} className="card">
            <UploadView upload={u} />
          </div>
        ))}
        <FailedImports />
        <Loaded query={query}>
          {(list) => (
            <>
              {list.items.length === 0 ? <Empty text={w.empty} /> : <Table list={list.items} why={why} remove={setLeaving} />}
              <Ready />
            </>
          )}
        </Loaded>
      </div>
      {leaving ? <Remove image={leaving} onClose={() => setLeaving(undefined)} /> : null}
    </>
  )
}

function Table({ list, why, remove }: { list: Image[]; why: string | undefined; remove: (i: Image) => void }) {
  return (
    <DataTable
      label={w.title}
      columns={[words.common.name, words.common.state, w.os, w.arch, w.virtual, w.stored, words.common.created]}
      last={words.common.more}
    >
      {list.map((i) => (
        <tr key={i.id}>
          <th scope="row">
            {i.name}
            <span className="why">{i.tenant ? i.source : [w.everyone, i.source].filter(Boolean).join(', ')}</span>
          </th>
          <td>
            <State word={i.state} />
            {i.state_reason ? <span className="why">{i.state_reason}</span> : null}
            {i.checksum ? (
              <span className="why" title={i.checksum}>
                {w.verified}
              </span>
            ) : null}
            {i.state === 'uploading' ? <GoOn image={i} /> : null}
          </td>
          <td>{i.os}</td>
          <td>{i.arch}</td>
          <td className="nowrap">{i.virtual_bytes ? bytes(i.virtual_bytes) : ''}</td>
          <td className="nowrap">{i.bytes ? bytes(i.bytes) : ''}</td>
          <td>
            <Time at={i.created_at} />
          </td>
          <td className="end">
            <Action
              label={w.delete}
              className="danger"
              why={why}
              onAction={() => remove(i)}
            />
          </td>
        </tr>
      ))}
    </DataTable>
  )
}

/** An upload that stopped, maybe in another browser: the same file goes on where the server has it. */
function GoOn({ image }: { image: Image }) {
  const client = useQueryClient()
  const running = useStore(uploads).has(image.id)
  if (running) return null
  const choose = (file: File | undefined) => {
    if (!file) return
    if (file.size !== image.upload_bytes) toastError(new Error(w.otherSize))
    else startUpload(image, file, client)
  }
  return (
    <label className="why">
      {w.chooseAgain(image.name)} ({percent(image.upload_bytes ? image.upload_offset / image.upload_bytes : 0)}){' '}
      <input type="file" onChange={(e) => choose(e.target.files?.[0])} />
    </label>
  )
}

function Remove({ image, onClose }: { image: Image; onClose: () => void }) {
  const client = useQueryClient()
  return (
    <ConfirmDialog
      title={w.deleteTitle(image.name)}
      submit={w.delete}
      text={w.deleteText}
      act={() => body(api.DELETE('/api/v1/images/{id}', { params: { path: { id: image.id }, query: { wait: '10s' } } }))}
      onDone={() => void client.invalidateQueries({ queryKey: ['images'] })}
      onClose={onClose}
    />
  )
}
