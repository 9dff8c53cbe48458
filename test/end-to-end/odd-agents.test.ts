/** What agents may do to their own worktree: the built program from `run` to the result. */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../eventually.ts'
import { NOBODY, plainUserTest } from '../other-users.ts'
import { House, PATIENCE } from './house.ts'

/** For root no door is closed. */
const user = process.getuid?.() === 0 ? { user: NOBODY } : {}

/** A house that belongs to a user for whom file modes count. */
function makeUsersHouse(): House {
  const house = new House()
  chmodSync(house.scratch, 0o755)
  mkdirSync(house.home)
  house.write('.gitconfig', '[safe]\n\tdirectory = *\n', house.scratch)
  if ('user' in user) {
    execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, house.repo, house.home])
  }
  return house
}

plainUserTest(
  'an agent that closes its own directory is let be, and what it did is collected',
  async () => {
    const house = makeUsersHouse()
    // Long enough for a look at the worktree in between; and closed as it ends.
    const script = 'echo done >made.txt; chmod 000 .; sleep 4'
    const words = ['command', '--', '/bin/sh', '-c', script]
    const id = await house.submit(words, user)
    await house.run(['wait', id, '--timeout', PATIENCE], user)
    const { state, error, result } = JSON.parse(await house.ok(['status', id, '--json'], user))
    expect({ state, error, result }).toMatchObject({ state: 'succeeded', result: { files: 1 } })
    expect(await house.ok(['diff', id], user)).toContain('+done')
    expect(readFileSync(join(house.worktree(id), 'made.txt'), 'utf8')).toBe('done\n')
    expect(statSync(house.worktree(id)).mode & 0o777).toBe(0o700)
    await house.ok(['worker', 'stop'], user)
  },
)

test('a FIFO that git would wait for costs itself, and not the rest of the work', async () => {
  const house = new House()
  const id = await house.submitScript('echo done >made.txt; rm .gitignore; mkfifo .gitignore')
  const { state, result } = await house.wait(id)
  expect(state).toBe('succeeded')
  expect(result).toMatchObject({ leftOut: ['.gitignore: not taken: it is a FIFO'] })
  expect(await house.ok(['diff', id])).toContain('+done')
})

test('a collection that hangs does not keep the worker; the next one collects', async () => {
  const house = new House()
  const flag = join(house.scratch, 'hangs')
  house.write('hangs', '', house.scratch)
  const filter = `if [ -e '${flag}' ]; then echo waits >>'${flag}'; sleep 1000; fi; cat`
  house.git('config', 'filter.slow.clean', filter)
  house.write('.gitattributes', '*.slow filter=slow\n')
  const id = await house.submitScript('echo done >made.slow')
  await eventually('the filter runs', () => readFileSync(flag, 'utf8') !== '')
  await house.ok(['worker', 'stop'])
  await eventually('nothing is left running', () => house.processes().length === 0)
  rmSync(flag)
  await house.ok(['worker', 'start'])
  expect(await house.wait(id)).toMatchObject({ state: 'succeeded', result: { files: 1 } })
})
