import { createStore } from './store.ts'

export type Theme = 'light' | 'dark' | 'system'
const key = 'novacron-theme' // public/theme-init.js reads it too
const machine = matchMedia('(prefers-color-scheme: dark)')

function stored(): Theme {
  try {
    const value = localStorage.getItem(key)
    return value === 'light' || value === 'dark' ? value : 'system'
  } catch {
    return 'system' // storage may be forbidden
  }
}

export const theme = createStore<Theme>(stored())

function apply() {
  const choice = theme.get()
  const dark = choice === 'dark' || (choice === 'system' && machine.matches)
  document.documentElement.dataset.theme = dark ? 'dark' : 'light'
}

export function chooseTheme(choice: Theme) {
  try {
    localStorage.setItem(key, choice)
  } catch {
    // The choice holds until the page is left.
  }
  theme.set(choice)
  apply()
}

machine.addEventListener('change', apply)
