/**
 * The page's policy refuses style elements and attributes, which xterm.js makes for its colours and sizes. This gives it
 * elements whose text goes into constructed style sheets, and spans whose style attribute is set as a property: both are open to
 * scripts of the page.
 */
export function styledDocument() {
  const sheets: CSSStyleSheet[] = []
  const original = document.createElement.bind(document)

  const styleElement = () => {
    const sheet = new CSSStyleSheet()
    sheets.push(sheet)
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet]
    const element = original('template')
    Object.defineProperty(element, 'textContent', {
      set: (css: string) => sheet.replaceSync(css),
      get: () => '',
    })
    return element
  }
  const spanElement = () => {
    const element = original('span')
    element.setAttribute = (name: string, value: string) => {
      if (name === 'style') element.style.cssText = value
      else Element.prototype.setAttribute.call(element, name, value)
    }
    return element
  }
  const create = (tag: string): HTMLElement =>
    tag === 'style' ? styleElement() : tag === 'span' ? spanElement() : original(tag)

  return {
    /** For the terminal's documentOverride. */
    document: new Proxy(document, {
      get(target, name) {
        if (name === 'createElement') return create
        const value = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
      set: (target, name, value) => Reflect.set(target, name, value),
    }),
    /** Runs open with the page's own document changed alike: xterm.js 6.0 asks that one, too, while it opens. */
    during(open: () => void) {
      document.createElement = create as typeof document.createElement // one signature of many, the one that is called
      try {
        open()
      } finally {
        Reflect.deleteProperty(document, 'createElement')
      }
    },
    release() {
      document.adoptedStyleSheets = document.adoptedStyleSheets.filter((s) => !sheets.includes(s))
    },
  }
}
