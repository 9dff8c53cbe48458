/** `holdfast review`: what is put before the agent, what comes back, and what cannot be read. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { reviewedView } from '../../src/surfaces/mcp/tools/review.ts'
import { type ReviewView, reviewView } from '../../src/surfaces/view.ts'
import { houseWithCodex } from './fake-codex.ts'
import type { House } from './house.ts'
import { McpClient } from './mcp-client.ts'

const finding = (
  title: string,
  severity: string,
  file: string,
  lines: readonly [number, number],
) => ({
  severity,
  title,
  body: `${title} happens.`,
  file,
  line_start: lines[0],
  line_end: lines[1],
  confidence: 0.9,
  recommendation: '',
})

const ANSWER = {
  verdict: 'needs-attention',
  summary: 'It has holes.',
  findings: [
    finding('Beyond', 'low', 'kept.txt', [3, 99]),
    finding('Nowhere', 'medium', 'nowhere.txt', [1, 1]),
    finding('Real', 'high', 'WORKTREE/kept.txt', [2, 2]),
  ],
  next_steps: ['Mend it.'],
}

/** It writes down what it was told and what it sees, and answers what lies in `answer`. */
const CODEX = `
root=$HOLDFAST_HOME/..
{ printf '%s\\n' "$*" "$prompt"; git status --porcelain; git log -1 --format=%s; cat kept.txt; } > "$root/told"
begin
say "$(sed "s#WORKTREE#$(pwd -P)#" "$root/answer")"
say '{"type":"turn.completed"}'
`

function houseWithReviewer(): House {
  const house = houseWithCodex(CODEX)
  answerWith(house, JSON.stringify(ANSWER))
  return house
}

function answerWith(house: House, text: string): void {
  const item = { type: 'item.completed', item: { type: 'agent_message', text } }
  writeFileSync(join(house.scratch, 'answer'), JSON.stringify(item))
}

const toldIn = (house: House) => readFileSync(join(house.scratch, 'told'), 'utf8')

async function review(house: House, ...words: string[]): Promise<ReviewView> {
  const text = await house.ok(['review', '-a', 'codex', '--wait', '--json', ...words])
  return reviewView.parse(JSON.parse(text))
}

test('what is not committed is put before the agent, and its findings are sorted, placed and shown', async () => {
  const house = houseWithReviewer()
  house.makeDirty()
  const before = house.fingerprint()

  const view = await review(house, 'the "locks" and `ticks`')
  const told = toldIn(house)
  expect(told).toContain('--output-schema')
  expect(told).toContain('Look at this above all:\nthe "locks" and `ticks`\n')
  for (const part of ['-two\n+TWO\n', '+staged, then edited\n', 'b/untracked ü.txt', '+mine\n']) {
    expect(told).toContain(part)
  }
  expect(told).not.toContain('SECRET')
  // It stands in the state after the change, where that is not committed either.
  expect(told).toContain(' M kept.txt\nAM staged.txt\n?? "untracked')
  expect(told.trimEnd().endsWith('first\none\nTWO\nthree')).toBe(true)

  expect(view).toMatchObject({
    kind: 'review',
    focus: 'the "locks" and `ticks`',
    target: { scope: 'uncommitted', label: 'uncommitted changes', task: null },
    verdict: 'needs-attention',
    next_steps: ['Mend it.'],
    problem: null,
  })
  expect(
    view.findings.map(({ number, title, file, place }) => [number, title, file, place]),
  ).toEqual([
    [1, 'Real', 'kept.txt', 'there'],
    [2, 'Nowhere', 'nowhere.txt', 'no_such_file'],
    [3, 'Beyond', 'kept.txt', 'no_such_lines'],
  ])
  expect(await house.task(view.task)).toMatchObject({
    name: 'review-uncommitted-changes',
    permissions: { asked: 'read-only' },
    review: { kind: 'review', target: { scope: 'uncommitted' } },
    result: { files: 0 },
  })
  expect((await house.evidence(view.task)).review).toEqual(view)
  const mendsNothing = await house.run(['send', view.task, '--findings', view.task])
  expect(mendsNothing).toMatchObject({ code: 5, stderr: expect.stringContaining('only read') })
  const shown = await house.ok(['result', view.task])
  expect(shown).toContain(
    'Review of uncommitted changes: needs attention\n\nIt has holes.\n\n1. high  Real\n',
  )
  expect(shown).toContain('   kept.txt:3-99 (it has no such lines)')
  expect(shown).not.toContain('\u001b')
  expect(house.fingerprint()).toBe(before)

  // Its findings become work.
  const asked = ['run', 'codex', '-', '--findings', view.task, '--only', '1,3', '--wait']
  const { id } = JSON.parse(await house.ok([...asked, '--json'], { input: 'Hurry.' }))
  const work = toldIn(house)
  expect(work).toContain('\n\nHurry.\n\n')
  expect(work).toContain('\n\n==== 1. [high] Real\nkept.txt:2\nReal happens.\n====')
  expect(work).toContain('==== 3. [low] Beyond\n')
  expect(work).not.toContain('Nowhere')
  expect(work).not.toContain('--output-schema')
  expect((await house.run(['run', 'codex', 'x', '--only', '1'])).code).toBe(2)
  const twice = ['run', 'codex', 'x', '--findings', view.task, '--prompt-file', 'kept.txt']
  expect((await house.run(twice)).stderr).toContain('a prompt was given, and --prompt-file too')
  await house.ok(['send', id, '--findings', view.task, '--only', '2', '--wait'])
  expect(toldIn(house)).toContain('resume')
  expect(toldIn(house)).toContain('==== 2. [medium] Nowhere\n')

  // A client of the MCP server asks for the same.
  const client = new McpClient(house)
  await client.initialize('2025-11-25')
  const { structuredContent } = await client.call('review', { focus: 'locks', agent: 'codex' })
  expect(reviewedView.parse(structuredContent)).toMatchObject({
    isNew: true,
    review: { focus: 'locks', target: { scope: 'uncommitted' }, verdict: null, problem: null },
  })
  const both = { task: view.task, commit: 'HEAD' }
  expect(await client.refusal('review', both)).toBe('bad_usage')
  expect(await client.leave()).toBe(0)
  await house.wait(structuredContent.review.task)

  // The verdict is no failure; what must not pass is, and what nobody can read may be anything.
  const failOn = async (severity: string) =>
    (await house.run(['review', '-a', 'codex', '--wait', '--fail-on', severity])).code
  expect(await failOn('critical')).toBe(0)
  expect(await failOn('high')).toBe(1)
  answerWith(house, 'I like it.')
  expect(await failOn('critical')).toBe(1)
  expect(await review(house)).toMatchObject({
    state: 'succeeded',
    verdict: null,
    findings: [],
    answer: 'I like it.',
    problem: 'there is no JSON document in it',
  })
})

test('a commit, a branch, and the result of a task that is gone from the disk and the repository', async () => {
  const house = houseWithReviewer()
  house.git('checkout', '--quiet', '-b', 'feature')
  house.write('kept.txt', 'one\ntwo\nthree\nfour\n')
  house.git('commit', '--quiet', '--all', '--message=second')
  const second = house.git('rev-parse', 'HEAD').trim()
  house.write('later.txt', 'later\n')
  house.git('add', '.')
  house.git('commit', '--quiet', '--message=third')
  house.write('kept.txt', 'not committed\n')

  // The state directory is reached by a link; its agents name files by where they stand.
  house.environment.HOLDFAST_HOME = join(house.scratch, 'linked')
  mkdirSync(house.home, { mode: 0o700 })
  symlinkSync(house.home, house.environment.HOLDFAST_HOME)
  // The model that Codex's own reviewer would be asked with, unless one is named.
  house.environment.CODEX_HOME = join(house.scratch, 'codex-home')
  mkdirSync(house.environment.CODEX_HOME)
  house.write('config.toml', 'review_model = "its-reviewer"\n', house.environment.CODEX_HOME)

  const outside = finding('Outside', 'high', '/etc/passwd', [1, 1])
  answerWith(house, JSON.stringify({ ...ANSWER, findings: [outside] }))
  const branch = await house.run(
    ['review', '-a', 'codex', '--wait', '--json', '--base', 'trunk', '--adversarial'],
    {},
  )
  expect(branch.stderr).toContain('not reviewed: what is not committed')
  // The answer is there once, as a document, and not in its raw form beside it.
  expect(branch.stderr).not.toContain('"verdict"')
  expect(toldIn(house)).toContain('-m its-reviewer ')
  expect(JSON.parse(branch.stdout)).toMatchObject({
    kind: 'adversarial',
    target: { scope: 'branch', label: 'branch feature against trunk', base: 'trunk' },
    findings: [{ file: '/etc/passwd', place: 'no_such_file' }],
  })
  answerWith(house, JSON.stringify(ANSWER))
  expect(toldIn(house)).toContain('+four\n')
  expect(toldIn(house)).toContain('+later\n')
  expect(toldIn(house).trimEnd().endsWith('third\none\ntwo\nthree\nfour')).toBe(true)

  expect((await review(house, '--commit', 'HEAD~1', '-m', 'mine')).target).toMatchObject({
    scope: 'commit',
    to: second,
  })
  expect(toldIn(house)).toContain('-m mine ')
  expect(toldIn(house)).not.toContain('later')

  // Of a task: its worktree, its refs and its commits are gone; its directory has them.
  const done = await house.submitScript('echo "by the agent" >> kept.txt')
  await house.wait(done)
  await house.ok(['archive', done])
  house.git('checkout', '--quiet', '--force', 'trunk')
  house.git('branch', '-D', 'feature')
  const { commit } = await house.evidence(done)
  house.git('update-ref', '-d', `refs/holdfast/${done}/result`)
  house.git('repack', '-a', '-d', '--quiet')
  expect(() => house.git('cat-file', '-e', commit ?? '')).toThrow()
  const view = JSON.parse(
    await house.ok(['review', done, '-a', 'codex', '--wait', '--json'], { directory: '/' }),
  )
  expect(view.target).toMatchObject({ scope: 'task', task: done })
  // The delta of the agent alone, on top of what the caller had not committed.
  expect(toldIn(house)).toContain(' not committed\n+by the agent\n')
  expect(toldIn(house)).not.toContain('+not committed')
  expect(view.findings[0]).toMatchObject({ file: 'kept.txt', line_start: 2, place: 'there' })
  expect((await house.task(view.task)).result).toMatchObject({ files: 0 })

  // What is refused leaves nothing.
  house.git('reset', '--quiet', '--hard')
  const left = () => [
    readdirSync(join(house.home, 'tasks')).length,
    house.git('for-each-ref', 'refs/holdfast').split('\n').length,
  ]
  const before = left()
  for (const [words, code, why] of [
    [['--uncommitted'], 5, 'nothing here is uncommitted'],
    [[], 5, 'HEAD has nothing that trunk has not'],
    [['--base', 'nowhere'], 5, 'nowhere names no commit'],
    [['--base', 'trunk', '--uncommitted'], 2, '--base and --uncommitted exclude each other'],
    [['locks'], 4, 'there is no task "locks"'],
    [['--fail-on', 'low'], 2, '--fail-on does nothing without --wait'],
    [['-a', 'command'], 2, 'the agent command cannot review'],
  ] as const) {
    const ran = await house.run(['review', '-a', 'codex', ...words])
    expect({ words, code: ran.code, said: ran.stderr }).toEqual({
      words,
      code,
      said: expect.stringContaining(why),
    })
  }
  expect(left()).toEqual(before)
  expect(existsSync(join(house.scratch, 'told'))).toBe(true)
})
