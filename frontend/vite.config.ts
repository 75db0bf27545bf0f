import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// Where `npm run dev` finds a running server: its console port carries /api and /ws.
const server = process.env.NOVACRON_PUBLIC_URL ?? 'http://localhost:8092'

export default defineConfig({
  plugins: [react()],
  build: {
    target: 'es2022',
    manifest: true, // scripts/budget.ts reads it
    emptyOutDir: false, // dist/.gitkeep is committed; scripts/build.ts clears the rest
    assetsInlineLimit: 0, // the policy of the page allows no inline styles or scripts
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // Small files shrink badly and each is a request: one for what every page begins with, and one for what several pages share.
    rolldownOptions: {
      output: { codeSplitting: { groups: [{ name: 'initial', tags: ['$initial'] }, { name: 'shared', minShareCount: 4 }] } },
    },
  },
  server: {
    proxy: {
      '/api': { target: server, changeOrigin: true },
      '/ws': { target: server, changeOrigin: true, ws: true },
    },
  },
})
