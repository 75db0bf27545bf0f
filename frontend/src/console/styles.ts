/**
 * The page's policy refuses style elements, which xterm.js makes for its colours and sizes. This document gives it elements
 * whose text goes into constructed style sheets instead, which the policy lets scripts of the page make.
 */
export function styledDocument(): { document: Document; release: () => void } {
  const sheets: CSSStyleSheet[] = []
  const styleElement = () => {
    const sheet = new CSSStyleSheet()
    sheets.push(sheet)
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet]
    const element = document.createElement('template')
    Object.defineProperty(element, 'textContent', { set: (css: string) => sheet.replaceSync(css), get: () => '' })
    return element
  }
  const create = (tag: string) => (tag === 'style' ? styleElement() : document.createElement(tag))
  const proxy = new Proxy(document, {
    get(target, name) {
      if (name === 'createElement') return create
      const value = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
    set: (target, name, value) => Reflect.set(target, name, value),
  })
  return {
    document: proxy,
    release: () => {
      document.adoptedStyleSheets = document.adoptedStyleSheets.filter((s) => !sheets.includes(s))
    },
  }
}
