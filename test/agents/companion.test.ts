/** The command line of the Codex plugin, with the real Codex against the scripted model. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { say, shell } from '../../src/demo/scripted-model/script.ts'
import { heard, houseWithModel } from './house-with-model.ts'

const VERDICT = {
  verdict: 'approve',
  summary: 'Nothing speaks against it.',
  findings: [],
  next_steps: ['Merge it.'],
}

const FINDING = {
  severity: 'high',
  title: 'A hole',
  body: 'It leaks.',
  file: 'added.txt',
  line_start: 2,
  line_end: 2,
  confidence: 0.9,
  recommendation: 'Mend it.',
}

test('a review as it is typed, its thread gone on with in place, and a verdict in its form', async () => {
  const { house, model } = await houseWithModel([
    shell('git diff main...HEAD'),
    say('The change adds one line.'),
    shell('echo more >> added.txt'),
    say('Mended.'),
    shell('git diff'),
    say(JSON.stringify(VERDICT)),
    say(JSON.stringify({ ...VERDICT, verdict: 'needs-attention', findings: [FINDING] })),
  ])
  house.git('branch', 'main')
  house.git('checkout', '--quiet', '-b', 'feature')
  house.write('added.txt', 'A-LINE-THAT-IS-NEW\n')
  house.git('add', '.')
  house.git('commit', '--quiet', '--message=second')
  const companion = async (...words: string[]) => await house.ok(['companion', ...words])

  expect(await companion('task', 'Review the current branch diff against main')).toBe(
    'The change adds one line.\n',
  )
  // What git said of the branch, from a worktree that only may be read.
  expect(heard(model).some(body => body.includes('+A-LINE-THAT-IS-NEW'))).toBe(true)
  const { candidate } = JSON.parse(await companion('task-resume-candidate', '--json'))
  expect(candidate).toMatchObject({ summary: 'Review the current branch diff against main' })

  const resumed = JSON.parse(
    await companion('task', '--write', '--resume', '--json', 'Apply the top fix, please'),
  )
  expect(resumed).toMatchObject({ status: 0, threadId: candidate.threadId, rawOutput: 'Mended.' })
  expect(readFileSync(join(house.repo, 'added.txt'), 'utf8')).toBe('A-LINE-THAT-IS-NEW\nmore\n')
  const prompts = ['Review the current branch diff against main', 'Apply the top fix, please']
  expect(heard(model).some(body => prompts.every(prompt => body.includes(prompt)))).toBe(true)

  const review = JSON.parse(await companion('adversarial-review', '--json', 'races'))
  expect(review).toMatchObject({
    target: { mode: 'working-tree' },
    context: { branch: 'feature' },
    codex: { status: 0 },
    result: VERDICT,
    parseError: null,
  })
  expect(heard(model).some(body => body.includes('"verdict"') && body.includes('races'))).toBe(true)

  // The same by our own name, of what the task above has left uncommitted.
  const own = await house.ok(['review', '-a', 'codex', '--wait', '--json'])
  expect(JSON.parse(own)).toMatchObject({
    verdict: 'needs-attention',
    findings: [{ title: 'A hole', file: 'added.txt', line_start: 2, place: 'there' }],
    target: { scope: 'uncommitted' },
  })
  const [last = ''] = heard(model).slice(-1)
  expect(last).toContain('+more')
  expect(last).not.toContain('+A-LINE-THAT-IS-NEW')
  expect(last).toContain('"strict":true')
})
