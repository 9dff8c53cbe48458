/** `docs/reliability.md`: what was tried, and what came of it. Without times, which differ each run. */
import { type Case, nameOf, pointsOf, steps } from './plan.ts'
import { type StoryName, stories } from './stories.ts'

export interface Played {
  readonly one: Case
  readonly survived: boolean
  readonly lostTasks: number
  readonly lostBytes: number
}

export interface Totals {
  readonly points: number
  readonly cases: number
  readonly survived: number
  readonly lostTasks: number
  readonly lostBytes: number
  /** The names of those that were not survived. */
  readonly fallen: readonly string[]
}

/** `commit`: what was checked out. */
export interface LastRun extends Totals {
  readonly commit: string
}

export function totalsOf(played: readonly Played[]): Totals {
  return {
    points: countPoints(played.map(({ one }) => one)),
    cases: played.length,
    survived: played.filter(({ survived }) => survived).length,
    lostTasks: played.reduce((sum, { lostTasks }) => sum + lostTasks, 0),
    lostBytes: played.reduce((sum, { lostBytes }) => sum + lostBytes, 0),
    fallen: played.flatMap(({ one, survived }) => (survived ? [] : [nameOf(one)])),
  }
}

/** `last`: what the last whole run came to; null: none was made. */
export function reliabilityPage(cases: readonly Case[], last: LastRun | null): string {
  const row = (name: string, some: readonly Case[]) =>
    `| ${name} | ${countPoints(some)} | ${some.length} |`
  const byStep = Object.keys(steps).map(step => {
    const points = pointsOf(step)
    return row(
      step,
      cases.filter(({ point }) => points.includes(point)),
    )
  })
  const names = Object.keys(stories) as StoryName[]
  const byStory = names.map(name =>
    row(
      `${name}: ${stories[name].about}`,
      cases.filter(({ story }) => story === name),
    ),
  )
  return `<!-- Written by \`npm run docs\`, and by a whole run of \`npm run test:faults\`. -->
# Reliability

\`npm run test:faults\` kills Holdfast with SIGKILL at every step at which it makes or removes
something that outlasts it: a row, a file, a ref, a process. Where an attempt is alive, it kills the
agent, its wrapper and the worker in every combination, some with the worker's watchdog too. It then
does what a person would do: nothing, where a watchdog lives; else \`holdfast status\`, or the same
command again. \`npm run test:faults -- --list\` names the steps.

**${countPoints(cases)} steps, ${cases.length} kills. Each is to be survived, with no task and no byte of work lost.**

That is the plan. Of a change the scenarios that it touches are played before it; the whole is played
now and then, at once or in pieces (\`--into FILE\`, as long as nothing has changed in between).

${describeLast(cases, last)}

A kill counts as survived if all of this holds:

- the step was reached, and who was to be killed was there and is dead;
- right after it, before anything is put in order, a look finds the task and says nothing of it that
  is not so;
- the task ends as it would have, once: one end in its log, one delivery, each try ended once;
- its patch is, byte for byte, what plain git makes of the files that the agent was told to leave
  behind, with everything that it had done before the kill;
- files, index bytes, HEAD, branches, tags and stash of the checkout are as before;
- no two agents, and no agent and a tool of the one before, were ever alive at once;
- nothing is left over: no process, lease, environment, half-written file, worktree without a row,
  ref without a task or a worktree.

A run in which one of them does not survive fails, and a whole one says so here. What happens at
random, and all at once, is for [the soak](soak.md).

A git that is killed while it writes a pack leaves that (\`objects/pack/tmp_pack_*\`) to git's own
\`gc\`: nobody else can tell whose it is.

## By step

| step | points | kills |
|---|---|---|
${byStep.join('\n')}

## By scenario

The agent is a small program that speaks Codex's protocol and keeps its session; in those called
\`codex\` it is the real Codex, against a scripted model.

| scenario | points | kills |
|---|---|---|
${byStory.join('\n')}
`
}

const countPoints = (cases: readonly Case[]) => new Set(cases.map(({ point }) => point)).size

function describeLast(cases: readonly Case[], last: LastRun | null): string {
  if (last === null) return 'No whole run is recorded here.'
  const { commit, points, cases: kills, survived, lostTasks, lostBytes, fallen } = last
  const isOfThis = kills === cases.length && points === countPoints(cases)
  const since = isOfThis ? '' : ' Kills were added since, or taken out.'
  const run = `The last whole run, of commit ${commit}: ${points} steps, ${kills} kills`
  if (survived === kills) return `${run}, all of them survived.${since}`
  const names = fallen.map(name => `- ${name}`).join('\n')
  return `**${run}, ${kills - survived} not survived. Tasks lost: ${lostTasks}. Bytes of work lost: ${lostBytes}.**${since}

${names}`
}
