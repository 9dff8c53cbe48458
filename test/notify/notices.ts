/** Notices, as tests of the channels tell them. */
import type { TaskId } from '../../src/domain/ids.ts'
import type { Notice } from '../../src/domain/notice.ts'

const ID = 'k3v9m2x7qd' as TaskId

export function notice(
  task: Partial<NonNullable<Notice['task']>> = {},
  rest: Partial<Omit<Notice, 'task'>> = {},
): Notice {
  return {
    id: 'd1',
    event: 'succeeded',
    at: Date.UTC(2026, 10, 29, 12, 0, 5),
    command: `holdfast result ${ID}`,
    ...rest,
    task: {
      id: ID,
      name: 'fix-login',
      agent: 'codex',
      repository: '/home/dev/app',
      files: 3,
      insertions: 10,
      deletions: 2,
      ...task,
    },
  }
}

export const allIdle: Notice = {
  id: 'd9',
  event: 'all_idle',
  at: Date.UTC(2026, 10, 29, 12, 1),
  task: null,
  command: 'holdfast status',
}

export const never = new AbortController().signal
