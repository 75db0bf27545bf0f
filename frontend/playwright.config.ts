import { defineConfig } from '@playwright/test'

// Every story runs against the real binary; e2e/server.ts starts one per worker on ports and a data folder of its own.
export default defineConfig({
  testDir: 'e2e',
  testMatch: '*.spec.ts',
  timeout: 120_000, // with the time that a busy machine takes; none of them needs half of it on an idle one
  expect: { timeout: 20_000 },
  workers: 1, // one server and one browser fill two cores
  retries: 0, // a story that fails now and then shows a fault, here or in the story
  forbidOnly: true,
  reporter: [['list']],
  use: {
    viewport: { width: 1280, height: 720 },
    trace: { mode: 'retain-on-failure', screenshots: false }, // drawing every frame twice is half of the time
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: ['--no-sandbox'],
    },
  },
})
