let typed = false

/** Whether somebody typed into a form of the page that is open: what would be lost if the page went away. */
export const hasTyped = () => typed

/** After the page was left. */
export const forgetTyped = () => {
  typed = false
}

/** Begins to notice typing. A search is no form to lose. */
export function watchTyping() {
  document.addEventListener(
    'input',
    ({ target }) => {
      if (target instanceof Element && target.closest('main form:not([role="search"])')) typed = true
    },
    { capture: true },
  )
}
