import { defineConfig } from 'vitest/config'

/**
 * Two projects: the quick ones need nothing; the others share one PostgreSQL, which is started only when one of their files runs.
 * Two workers, because the whole must run on two cores in under three minutes and a third would only make timing tests late.
 */
export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      {
        test: {
          name: 'pure',
          include: ['test/{unit,scenarios,sim}/**/*.test.ts'],
          testTimeout: 20_000,
          isolate: false,
        },
      },
      {
        test: {
          name: 'flow',
          include: ['test/{flow,e2e}/**/*.test.ts'],
          globalSetup: ['test/support/embedded-postgres.global.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          isolate: false,
        },
      },
    ],
  },
})
