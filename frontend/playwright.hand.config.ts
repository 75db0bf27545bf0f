import { defineConfig } from '@playwright/test'
import stories from './playwright.config.ts'

// What is run by hand against the real binary, one at a time: screenshots.ts, measure.ts and lighthouse.ts.
export default defineConfig(stories, { testMatch: ['screenshots.ts', 'measure.ts', 'lighthouse.ts'] })
