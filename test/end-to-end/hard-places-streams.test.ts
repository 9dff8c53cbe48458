/** Streams that are closed, full or nobody's: the task is there, the exit code says what was not. */
import { execFile } from 'node:child_process'
import { expect, test } from 'vitest'
import { entry, House, type Ran } from './house.ts'

/** A line of shell, in which `"$@"` is `holdfast run` of a program that prints `hello`. */
function shell(house: House, line: string, words: readonly string[] = []): Promise<Ran> {
  const run =
    words.length > 0 ? words : ['run', 'command', '--permissions', 'full', '--', 'echo', 'hello']
  return new Promise(resolve => {
    execFile(
      '/bin/bash',
      ['-c', line, 'bash', process.execPath, entry, ...run],
      { cwd: house.repo, env: house.environment },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
        resolve({ code, stdout, stderr })
      },
    )
  })
}

/** The one task that there is, which goes on as if nothing had been. */
async function expectOneTask(house: House): Promise<string> {
  const { tasks } = JSON.parse(await house.ok(['status', '--all', '--json'], { directory: '/' }))
  expect(tasks).toHaveLength(1)
  const [{ id }] = tasks
  expect(await house.wait(id)).toMatchObject({ state: 'succeeded', result: { answer: 'hello' } })
  return id
}

test.each([
  ['stdin is closed', '"$@" <&-', 0],
  ['stdout is closed', '"$@" >&-', 0],
  ['stderr is closed', '"$@" 2>&-', 0],
  ['all three are closed', '"$@" <&- >&- 2>&-', 0],
  ['nobody is there to read', '"$@" | exec head -c0; exit ${PIPESTATUS[0]}', undefined],
  ['stdout is full', '"$@" >/dev/full', 5],
  ['stderr is full', '"$@" 2>/dev/full', 0],
  [
    'SIGPIPE is ignored, and nobody reads',
    'trap "" PIPE; "$@" | exec head -c0; exit ${PIPESTATUS[0]}',
    undefined,
  ],
  ['there is no terminal and no session of its own', 'setsid "$@" </dev/null', 0],
])('%s', async (_, line, code) => {
  const house = new House()
  const run = await shell(house, line)
  // Whether a pipe's reader is gone in time is chance; then it is as by SIGPIPE.
  expect(code === undefined ? [0, 141] : [code]).toContain(run.code)
  expect(run.stderr).not.toContain('unexpected:')
  const id = await expectOneTask(house)
  if (run.code !== 0) expect(run.stderr).toContain(`${id} was handed in`)
  // Without its reader no id was lost: the newest of this repository is meant.
  expect(await house.ok(['result'])).toBe('hello')
})

test('an answer that nobody takes is not lost', async () => {
  const house = new House()
  const waited = await shell(house, '"$@" >/dev/full', [
    'run',
    'command',
    '--wait',
    '--permissions',
    'full',
    '--',
    'echo',
    'hello',
  ])
  expect(waited.code).toBe(5)
  expect(waited.stderr).toMatch(/stdout cannot be written: ENOSPC/)
  const id = await expectOneTask(house)
  for (const words of [['result', id], ['status'], ['logs', id], ['diff', id, '--json']]) {
    const run = await shell(house, '"$@" >/dev/full', words)
    expect([words, run.code]).toEqual([words, 5])
    expect(run.stderr).toMatch(/stdout cannot be written: ENOSPC[^\n]*\n$/)
  }
})
