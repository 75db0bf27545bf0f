import { defineConfig } from '@playwright/test'

// Writes docs/screenshots against the real binary.
export default defineConfig({
  testDir: 'e2e',
  testMatch: 'screenshots.ts',
  timeout: 60_000,
  expect: { timeout: 10_000 },
  workers: 1, // one server and one browser fill two cores
  reporter: [['list']],
  use: {
    viewport: { width: 1280, height: 720 },
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: ['--no-sandbox'],
    },
  },
})
