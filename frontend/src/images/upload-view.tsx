import { words } from '../i18n/en/images.ts'
import { bytes, percent } from '../lib/format.ts'
import { forgetUpload, pauseUpload, resumeUpload, type Upload } from './uploads.ts'

const w = words.images

export function UploadView({ upload: u }: { upload: Upload }) {
  return (
    <section className="operation" aria-label={`${w.uploading} ${u.name}`}>
      <div className="row">
        <strong>
          {u.state === 'paused' ? w.paused : w.uploading} {u.name}
        </strong>
        <span className="grow" />
        {u.state === 'paused' ? (
          <button
            type="button"
            className="button"
            data-stay
            aria-label={w.resumeNamed(u.name)}
            onClick={() => resumeUpload(u.image)}
          >
            {w.resume}
          </button>
        ) : (
          <button
            type="button"
            className="button"
            data-stay
            aria-label={w.pauseNamed(u.name)}
            onClick={() => pauseUpload(u.image)}
          >
            {w.pause}
          </button>
        )}
        <button type="button" className="button quiet" data-stay onClick={() => forgetUpload(u.image)}>
          {w.forget}
        </button>
      </div>
      <p>
        {w.progress(bytes(u.sent), bytes(u.bytes))}{' '}
        <span className="muted">{percent(u.bytes ? u.sent / u.bytes : 0)}</span>
      </p>
      <progress value={u.sent} max={u.bytes || 1} aria-label={`${w.uploading} ${u.name}`} />
      {u.reason ? <p className="alert warn">{u.state === 'waiting' ? w.waiting(u.reason) : u.reason}</p> : null}
    </section>
  )
}
