import { words } from '../i18n/en/settings.ts'
import { useStore } from '../lib/store.ts'
import { chooseTheme, theme } from '../lib/theme.ts'
import { Ready } from '../ui/page.tsx'

const w = words.appearance

export function Appearance() {
  const now = useStore(theme)
  return (
    <section className="card narrow">
      <h2>{w.title}</h2>
      <fieldset className="stack">
        <legend>{w.theme}</legend>
        {(['system', 'light', 'dark'] as const).map((t) => (
          <label key={t} className="check">
            <input type="radio" name="theme" value={t} checked={now === t} onChange={() => chooseTheme(t)} />
            {w[t]}
          </label>
        ))}
      </fieldset>
      <Ready />
    </section>
  )
}
