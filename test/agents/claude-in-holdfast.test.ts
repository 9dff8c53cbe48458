/** The whole, with the real Claude Code in the system's confinement, against the scripted model. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, expect } from 'vitest'
import { ensureAgent } from '../../src/demo/ensure-agent.ts'
import { writeClaudeHome } from '../../src/demo/scripted-model/claude-home.ts'
import { say, shell, type Turn } from '../../src/demo/scripted-model/script.ts'
import { type ScriptedModel, startScriptedModel } from '../../src/demo/scripted-model/server.ts'
import { confinedTest, visibleParent } from '../confined.ts'
import { House } from '../end-to-end/house.ts'
import { eventually } from '../eventually.ts'
import { heard } from './house-with-model.ts'

const { bin } = await ensureAgent('claude')
const models: ScriptedModel[] = []
afterEach(async () => {
  for (const model of models.splice(0)) await model.close()
})

async function claudeHouse(
  turns: readonly Turn[],
): Promise<{ house: House; model: ScriptedModel }> {
  const model = await startScriptedModel({ turns })
  models.push(model)
  const house = new House({}, visibleParent())
  const directory = join(house.scratch, 'claude')
  Object.assign(house.environment, await writeClaudeHome(directory, model.origin), {
    PATH: `${dirname(bin)}:${house.environment.PATH}`,
  })
  return { house, model }
}

confinedTest(
  'kill -9 in mid-tool: one resumed attempt of the session, and the work of both',
  async () => {
    const { house, model } = await claudeHouse([
      shell('echo first >> kept.txt; touch under-way; tail -f /dev/null', 'I begin.'),
      shell('unlink under-way; echo second >> kept.txt; echo x > ../outside.txt'),
      say('All done.'),
    ])
    const before = house.fingerprint()
    const id = await house.submit(['claude', 'REMEMBER-THIS please'])
    await house.underWay(id)
    const { session } = await eventually('the session is known', async () => {
      const task = await house.task(id)
      return task.session !== null && task
    })
    process.kill(house.pid(id), 'SIGKILL')
    expect(await house.wait(id)).toMatchObject({
      state: 'succeeded',
      attempt: 2,
      session,
      permissions: { asked: 'workspace', effective: 'workspace', enforcedBy: 'system' },
    })
    const resumed = heard(model).at(-1) ?? ''
    for (const history of ['REMEMBER-THIS', 'I begin.', 'You were interrupted']) {
      expect([history, resumed.includes(history)]).toEqual([history, true])
    }
    expect(await house.ok(['result', id])).toBe('All done.')
    expect((await house.ok(['diff', id])).match(/^\+\w.*$/gm)).toEqual(['+first', '+second'])
    expect(existsSync(join(house.home, 'worktrees', 'outside.txt'))).toBe(false)
    expect(house.fingerprint()).toBe(before)
  },
)

confinedTest(
  'a stricter mode in the user’s settings wins, and what was refused is in the log',
  async () => {
    const { house } = await claudeHouse([
      shell('cat kept.txt; echo x > new.txt'),
      shell('touch refused.txt'),
      say('Read.'),
    ])
    const settings = { permissions: { defaultMode: 'plan', deny: ['Bash(touch *)'] } }
    house.write('settings.json', JSON.stringify(settings), join(house.scratch, 'claude'))
    const id = await house.submit(['claude', 'look around'])
    expect(await house.wait(id)).toMatchObject({
      state: 'succeeded',
      permissions: { asked: 'workspace', effective: 'read-only', enforcedBy: 'system' },
    })
    const log = await house.ok(['logs', id])
    // In the words of whichever shell Claude Code has found.
    expect(log).toMatch(/read-only file system/i)
    expect(log).toContain('refused: Bash: touch refused.txt (')
    expect(await house.ok(['diff', id])).toBe('')
  },
)

confinedTest('a final answer is held to a schema, and so is a review', async () => {
  const verdict = {
    verdict: 'needs-attention',
    summary: 'One thing.',
    findings: [
      {
        severity: 'low',
        title: 'Loose',
        body: 'It takes anything.',
        file: 'answer.json',
        line_start: 1,
        line_end: 1,
        confidence: 1,
        recommendation: '',
      },
    ],
    next_steps: [],
  }
  const { house, model } = await claudeHouse([
    { kind: 'reply', structured: { ok: true } },
    say('There.'),
    { kind: 'reply', structured: verdict },
    say('That is all.'),
  ])
  house.write(
    'answer.json',
    '{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{"ok":{"type":"boolean"}}}',
  )
  const id = await house.submit(['claude', 'is it?', '--output-schema', 'answer.json'])
  expect(await house.wait(id)).toMatchObject({ state: 'succeeded' })
  expect(JSON.parse(await house.ok(['result', id]))).toEqual({ ok: true })

  const review = await house.ok(['review', '-a', 'claude', '--wait', '--json'])
  expect(JSON.parse(review)).toMatchObject({
    ...verdict,
    findings: [{ ...verdict.findings[0], number: 1, place: 'there' }],
  })
  expect(heard(model).some(body => body.includes('+++ b/answer.json'))).toBe(true)
})
