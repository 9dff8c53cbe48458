/** Secrets of a task's environment: kept out of our words, and left in what is the agent's own. */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { House } from './house.ts'

test('the log and the failure show no secret; the answer and the raw output are as they were', async () => {
  const house = new House()
  const secret = 'correct-horse-battery'
  const shaped = `ghp_${'a1B2'.repeat(9)}`
  house.environment.DEPLOY_TOKEN = secret
  // Printed by a set-up that fails, and by a program.
  const script = `echo "with $DEPLOY_TOKEN and ${shaped}"`
  const id = await house.submitScript(script)
  const said = `with ${secret} and ${shaped}`
  expect(await house.wait(id)).toMatchObject({ state: 'succeeded', result: { answer: said } })
  expect((await house.ok(['result', id])).trimEnd()).toBe(said)
  expect(await house.ok(['logs', id, '--raw'])).toBe(`${said}\n`)
  expect(await house.ok(['logs', id])).toContain('with [redacted] and [redacted]')
  const raw = join(house.runDirectory(id), 'stdout')
  expect([readFileSync(raw, 'utf8'), statSync(raw).mode & 0o777]).toEqual([`${said}\n`, 0o600])

  house.write('holdfast.json', JSON.stringify({ setup: ['sh', '-c', `${script} >&2; exit 3`] }))
  await house.ok(['trust', '--yes'])
  const failing = await house.submitScript('true')
  const { state, error } = await house.wait(failing)
  expect({ state, code: error?.code }).toEqual({ state: 'failed', code: 'setup_failed' })
  expect(error?.message).toContain('with [redacted] and [redacted]')

  const store = new DatabaseSync(join(house.home, 'store.db'), { readOnly: true, timeout: 60_000 })
  const events = store.prepare('SELECT body_json FROM events').all()
  store.close()
  expect(events.length).toBeGreaterThan(0)
  // As the set-up command was handed in, so it is shown; what it printed is not.
  const shown = JSON.stringify(events).replaceAll(shaped, '')
  expect(shown).not.toContain(secret)
})
