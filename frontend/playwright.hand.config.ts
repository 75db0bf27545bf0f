import { defineConfig } from '@playwright/test'
import stories from './playwright.config.ts'

// What is run by hand against the real binary, one at a time: screenshots.ts and measure.ts.
export default defineConfig(stories, { testMatch: ['screenshots.ts', 'measure.ts'] })
