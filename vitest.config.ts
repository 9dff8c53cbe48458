import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const shared = {
  // Real processes, real git: a loaded machine needs room, and whoever waits for what comes in time
  // has no part in this. No test waits by sleeping.
  testTimeout: 240_000,
  hookTimeout: 240_000,
}

/**
 * Where nothing is known of earlier runs vitest begins with the largest files. The files of the matrix
 * are the smallest, and take the longest: begun last, they would be all that runs in the end. Real
 * agents are mostly waited for: they are spread over the other tests, which need the processors.
 */
class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const isSlow = ({ moduleId }: TestSpecification) => /matrix|opencode\.test/.test(moduleId)
    const hasAgent = ({ project }: TestSpecification) => project.name === 'agents'
    const agents = sorted.filter(hasAgent)
    return spread(
      [...agents.filter(isSlow), ...agents.filter(file => !isSlow(file))],
      sorted.filter(file => !hasAgent(file)),
    )
  }
}

/** Both in their order, begun and ended together. */
function spread<T>(few: readonly T[], many: readonly T[]): T[] {
  const places = [...few.entries(), ...many.entries()].map(([at, one], n) => ({
    one,
    at: at / (n < few.length ? few.length : many.length),
  }))
  return places.sort((a, b) => a.at - b.at).map(({ one }) => one)
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
          // Real agents take their time to start, several at once all the more.
          testTimeout: 400_000,
          name: 'agents',
          include: ['test/agents/**/*.test.ts'],
          globalSetup: ['test/agents/matrix/table.ts'],
        },
      },
    ],
  },
})
