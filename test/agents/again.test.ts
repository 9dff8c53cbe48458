/** Going on with what stopped, and doing it anew, with the real Codex against the scripted model. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { say, shell } from '../../src/demo/scripted-model/script.ts'
import { eventually } from '../eventually.ts'
import { heard, houseWithModel } from './house-with-model.ts'

test('resume goes on with a cancelled task in its session and worktree; retry forgets both', async () => {
  const { house, model } = await houseWithModel([
    shell('echo first >> kept.txt; touch under-way; exec sleep 300', 'I begin.'),
    shell('unlink under-way; echo second >> kept.txt'),
    say('All done.'),
    say('Done anew.'),
  ])
  const first = await house.submit(['codex', 'REMEMBER-THIS please', '--name', 'work'])
  await house.underWay(first)
  const { session } = await eventually('the session is known', async () => {
    const task = await house.task(first)
    return task.session !== null && task
  })
  await house.ok(['cancel', first])
  expect((await house.task(first)).result?.files).toBe(2)

  const second = (await house.ok(['resume', 'work'])).trim()
  expect(await house.wait(second)).toMatchObject({
    state: 'succeeded',
    name: 'work.2',
    follows: first,
    session,
    attempt: 1,
    worktree: { path: house.worktree(first) },
  })
  const resumed = heard(model)[1] ?? ''
  for (const history of ['REMEMBER-THIS', 'I begin.', 'it was cancelled']) {
    expect([history, resumed.includes(history)]).toEqual([history, true])
  }
  expect((await house.ok(['diff', 'work'])).match(/^\+\w.*$/gm)).toEqual(['+first', '+second'])

  const anew = (await house.ok(['retry', second])).trim()
  const ended = await house.wait(anew)
  expect(ended).toMatchObject({ state: 'succeeded', follows: null })
  expect(ended.session).not.toBe(session)
  const asked = heard(model).at(-1) ?? ''
  expect(asked).toContain('REMEMBER-THIS')
  expect(asked).not.toContain('I begin.')
  expect(await house.ok(['result', anew])).toBe('Done anew.')
})

test('a session that was thrown away in the meantime: the prompt is given again', async () => {
  const { house, model } = await houseWithModel([
    shell('touch under-way; exec sleep 300', 'I begin.'),
    say('From the start.'),
  ])
  const first = await house.submit(['codex', 'REMEMBER-THIS please'])
  await house.underWay(first)
  await eventually('the session is known', async () => (await house.task(first)).session)
  await house.ok(['cancel', first])
  rmSync(join(house.environment.CODEX_HOME ?? '', 'sessions'), { recursive: true })
  const second = (await house.ok(['resume', first])).trim()
  expect(await house.wait(second)).toMatchObject({ state: 'succeeded', attempt: 2 })
  expect(heard(model).at(-1)).toContain('REMEMBER-THIS')
})

test('what is sent to an ended task is heard in its session, with all that was said there, once', async () => {
  const { house, model } = await houseWithModel([
    say('The first is done.'),
    say('The second is done.'),
    say('All is done.'),
  ])
  const first = await house.submit(['codex', 'REMEMBER-THIS please', '--name', 'work'])
  const { session } = await house.wait(first)
  expect(await house.ok(['send', 'work', '--wait', '--', 'SECOND-THING, "$(id)"'])).toBe(
    'The second is done.\n',
  )
  const second = await house.task('work')
  expect(second).toMatchObject({ follows: first, session, attempt: 1, state: 'succeeded' })
  const asked = heard(model)[1] ?? ''
  for (const words of ['REMEMBER-THIS', 'The first is done.', 'SECOND-THING, \\"$(id)\\"']) {
    expect([words, asked.split(words).length - 1]).toEqual([words, 1])
  }
  expect(asked).not.toContain('You were interrupted')

  // Where the session is gone, a new one is told all of it.
  rmSync(join(house.environment.CODEX_HOME ?? '', 'sessions'), { recursive: true })
  const third = JSON.parse(await house.ok(['send', 'work', 'THIRD-THING', '--json'])).task.id
  expect(await house.wait(third)).toMatchObject({ state: 'succeeded', attempt: 2 })
  const anew = heard(model)[2] ?? ''
  for (const words of ['REMEMBER-THIS', 'SECOND-THING', 'THIRD-THING']) {
    expect([words, anew.split(words).length - 1]).toEqual([words, 1])
  }
})
