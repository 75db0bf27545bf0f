import { words } from '../i18n/en.ts'
import { useStore } from '../lib/store.ts'
import { chooseTheme, theme } from '../lib/theme.ts'
import { PageHead, Ready } from '../ui/page.tsx'

const w = words.settings

export function SettingsPage() {
  const now = useStore(theme)
  return (
    <>
      <PageHead title={w.title} />
      <section className="card">
        <h2>{w.appearance}</h2>
        <fieldset className="stack">
          <legend>{w.theme}</legend>
          {(['system', 'light', 'dark'] as const).map((t) => (
            <label key={t} className="check">
              <input type="radio" name="theme" value={t} checked={now === t} onChange={() => chooseTheme(t)} />
              {w[t]}
            </label>
          ))}
        </fieldset>
      </section>
      <Ready />
    </>
  )
}
