import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const shared = {
  // Real processes, real git: a loaded machine needs room. No test waits by sleeping.
  testTimeout: 180_000,
  hookTimeout: 180_000,
}

/**
 * Where nothing is known of earlier runs vitest begins with the largest files. The files of the matrix
 * are the smallest, and take the longest: begun last, they would be all that runs in the end.
 */
class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const isSlow = ({ moduleId }: TestSpecification) => /matrix|opencode\.test/.test(moduleId)
    return [...sorted.filter(isSlow), ...sorted.filter(file => !isSlow(file))]
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: SlowestFirst },
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
          name: 'agents',
          include: ['test/agents/**/*.test.ts'],
          globalSetup: ['test/agents/matrix/table.ts'],
        },
      },
    ],
  },
})
