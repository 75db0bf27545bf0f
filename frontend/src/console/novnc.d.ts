// The published types name a path of older versions; the package itself exports the class from its root.
declare module '@novnc/novnc' {
  export { default } from '@novnc/novnc/lib/rfb'
}
