// Sets the theme before the first paint. "system" follows the machine; src/lib/theme.ts changes it later.
;(() => {
  let choice = 'system'
  try {
    choice = localStorage.getItem('novacron-theme') || 'system'
  } catch {
    // Storage may be forbidden; the machine's theme is a good answer then.
  }
  const dark = choice === 'dark' || (choice !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches)
  document.documentElement.dataset.theme = dark ? 'dark' : 'light'
})()
