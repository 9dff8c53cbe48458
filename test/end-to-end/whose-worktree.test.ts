/** A worktree of ours is known as such, by whichever way one comes to it. */
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { House, PATIENCE } from './house.ts'

test('through a link to the state directory, nothing is applied to a worktree that is in use', async () => {
  const house = new House()
  const link = join(house.scratch, 'link')
  mkdirSync(house.home, { mode: 0o700 })
  symlinkSync(house.home, link)
  const environment = { HOLDFAST_HOME: link }
  const script = ['command', '--', 'sh', '-c']
  const done = await house.submit([...script, 'echo new > new.txt'], { environment })
  await house.ok(['wait', done, '--timeout', PATIENCE], { environment })
  const busy = await house.submit([...script, 'exec sleep 600'], { environment })
  await house.untilState(busy, 'running')

  for (const home of [link, house.home]) {
    const to = join(home, 'worktrees', busy)
    const refused = await house.run(['apply', done, '--to', to], { environment })
    expect(refused).toMatchObject({ code: 5, stdout: '' })
    expect(refused.stderr).toContain(`is in use by ${busy}`)
  }
  const own = join(link, 'worktrees', done)
  const refused = await house.run(['apply', done, '--to', own], { environment })
  expect(refused.stderr).toContain(`is where ${done} did its work`)
  // From there it goes to where it was asked.
  const { stderr } = await house.run(['apply', done], { environment, directory: own })
  expect(stderr).toContain(`applying to ${house.repo}`)
  await house.ok(['cancel', busy], { environment })
  await house.wait(busy)
  expect(await house.ok(['diff', busy])).toBe('')
  await house.ok(['worker', 'stop'], { environment })
})

test('nobody works in place in a worktree of ours, locked or not', async () => {
  const house = new House()
  const id = await house.submitScript('echo made > made')
  await house.wait(id)
  const directory = house.worktree(id)
  const unlock = () => house.gitIn(directory, 'worktree', 'unlock', '.')
  unlock()
  expect(unlock).toThrow('is not locked')
  const run = ['run', '--in-place', 'command', '--', 'true']
  const refused = await house.run(run, { directory })
  expect(refused).toMatchObject({ code: 5, stdout: '' })
  expect(refused.stderr).toContain(`${directory} is the worktree ${id} of Holdfast`)
  expect(refused.stderr).toContain('run it without --in-place')
})
