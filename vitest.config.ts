import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

const shared = {
  // Real processes, real git: a loaded machine needs room. No test waits by sleeping.
  testTimeout: 60_000,
  hookTimeout: 60_000,
}

export default defineConfig({
  test: {
    // Most tests wait for processes: twice as many files as cores run side by side.
    maxWorkers: 2 * availableParallelism(),
    projects: [
      {
        test: {
          ...shared,
          name: 'main',
          include: ['test/**/*.test.ts'],
          exclude: ['test/agents/**'],
        },
      },
      {
        test: {
          ...shared,
          // Real agents take their time to start, several at once all the more.
          testTimeout: 180_000,
          name: 'agents',
          include: ['test/agents/**/*.test.ts'],
          globalSetup: ['test/agents/matrix/table.ts'],
        },
      },
    ],
  },
})
