/** `--memory`: read, and never taken where it would not hold. */
import { AppError } from '../domain/errors.ts'
import { describeMemory, LEAST_MEMORY_BYTES, parseMemory } from '../domain/memory.ts'
import type { MemoryLimits } from '../ports/memory-limits.ts'

export const memoryFlag = {
  memory: {
    about: 'how much its processes may use together, for example 4G; or none',
    value: 'SIZE',
  },
} as const

/** `otherwise`: where no flag is given. Null: no limit. */
export async function settleMemory(
  flag: string | undefined,
  otherwise: number | null,
  { memoryLimits }: { memoryLimits(): Promise<MemoryLimits> },
): Promise<number | null> {
  const bytes = flag === undefined ? otherwise : readMemory(flag)
  if (bytes !== null) await (await memoryLimits()).requireWorking()
  return bytes
}

function readMemory(text: string): number | null {
  if (text === 'none') return null
  const bytes = parseMemory(text)
  if (bytes !== undefined) return bytes
  throw new AppError('bad_usage', `--memory ${text} is no amount of memory`, {
    hint: `for example 4G or 512M, at least ${describeMemory(LEAST_MEMORY_BYTES)}; or none`,
  })
}
