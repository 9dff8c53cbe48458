/** What the caller and the worker's starter happen to have set: umask, limits, signals. */
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { entry, House, PATIENCE, type Ran } from './house.ts'

/** Runs `holdfast` from a shell that has done something first. */
function after(house: House, first: string, words: readonly string[]): Promise<Ran> {
  const program = `${first}; exec "$0" "$@"`
  return new Promise(resolve => {
    execFile(
      '/bin/bash',
      ['-c', program, process.execPath, entry, ...words],
      { cwd: house.repo, env: house.environment },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
        resolve({ code, stdout, stderr })
      },
    )
  })
}

const script = (text: string) => ['command', '--permissions', 'full', '--', '/bin/sh', '-c', text]

function modesIn(directory: string): string[] {
  const modes: string[] = []
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const path = join(directory, name)
    const { mode } = statSync(path)
    if ((mode & 0o077) !== 0) modes.push(`${name} ${(mode & 0o777).toString(8)}`)
  }
  return modes
}

test('the agent and git have the umask of who asked, not of who started the worker', async () => {
  const house = new House()
  // The strictest of all starts the worker.
  expect((await after(house, 'umask 077', ['worker', 'start'])).code).toBe(0)
  const ask = async (umask: string) => {
    const run = await after(house, `umask ${umask}`, [
      'run',
      ...script('umask; echo x > made; mkdir d; stat -c %a kept.txt made d'),
    ])
    expect(run.code).toBe(0)
    const id = run.stdout.trim()
    return { id, answer: (await house.wait(id)).result?.answer?.split('\n') }
  }
  expect((await ask('0022')).answer).toEqual(['0022', '644', '644', '755'])
  expect((await ask('0002')).answer).toEqual(['0002', '664', '664', '775'])
  const strict = await ask('0027')
  expect(strict.answer).toEqual(['0027', '640', '640', '750'])
  // What git wrote into the repository can be read by whoever could read the rest of it.
  const { id } = await ask('0022')
  const ref = join(house.repo, '.git', 'refs', 'holdfast', id, 'result')
  expect(statSync(ref).mode & 0o777).toBe(0o644)
  await house.ok(['worker', 'stop'])
})

test('our own files are private, whatever the umask is', async () => {
  const house = new House()
  expect((await after(house, 'umask 000', ['run', ...script('true')])).code).toBe(0)
  const id = (await house.ok(['status', '--json'])).match(/"id":"([^"]*)/)?.[1] ?? ''
  await house.wait(id)
  await house.untilForgotten(id)
  const own = modesIn(house.home).filter(line => !line.startsWith('worktrees/'))
  // In a private directory; but whoever moves it elsewhere may not open it with that.
  expect(own).toEqual([])
})

test('with 64 open files twenty tasks are done, and fewer at once', async () => {
  const house = new House({ HOLDFAST_SLOTS: '20' })
  const ids: string[] = []
  for (let n = 0; n < 20; n++) {
    const run = await after(house, 'ulimit -n 64', ['run', ...script(`echo ${n} > made`)])
    expect(run.code).toBe(0)
    ids.push(run.stdout.trim())
  }
  const waited = await after(house, 'ulimit -n 64', ['wait', ...ids, '--timeout', PATIENCE])
  expect(waited.code).toBe(0)
  expect(readFileSync(join(house.home, 'worker.log'), 'utf8')).toMatch(/only 4 of 20 slots.*ulimit/)
})

test('too few open files are said to be that, and nothing is half done', async () => {
  const house = new House()
  await house.ok(['status'])
  const run = await after(house, 'ulimit -n 26', ['run', ...script('true')])
  expect(run.code).not.toBe(0)
  expect(run.stdout).toBe('')
  expect(run.stderr).toMatch(/ulimit -n 1024\n$/)
  expect(JSON.parse(await house.ok(['status', '--all', '--json'])).tasks).toEqual([])
  expect(house.git('for-each-ref', 'refs/holdfast')).toBe('')
})

test('signals that the caller ignores are not ignored by the agent', async () => {
  const house = new House()
  const run = await after(house, "trap '' PIPE HUP INT TERM QUIT USR1", [
    'run',
    ...script('yes | head -n 1; grep -E "^Sig(Ign|Blk)" /proc/self/status'),
  ])
  expect(run.code).toBe(0)
  const answer = (await house.wait(run.stdout.trim())).result?.answer
  expect(answer?.replace(/\s+/g, ' ')).toBe('y SigBlk: 0000000000000000 SigIgn: 0000000000000000')
})
