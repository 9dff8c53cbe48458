/** Every case of the kill matrix: which scenario, at which point, who is killed. Pure. */
import { crashPoints, foreignPoints } from '../../src/domain/crash-points.ts'
import type { Actor } from './cast.ts'
import type { StoryName } from './stories.ts'

export interface Case {
  readonly story: StoryName
  readonly point: string
  readonly who: readonly Actor[]
}

export const nameOf = ({ story, point, who }: Case) => `${story}: ${point}: ${who.join('+')}`

/** The points by step of a task's life. */
export const steps: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  ...crashPoints,
  ...foreignPoints,
}

export function pointsOf(step: string): readonly string[] {
  const points = steps[step]
  if (points === undefined) throw new Error(`there is no step "${step}"`)
  return Object.keys(points)
}

const SELF: readonly (readonly Actor[])[] = [['self']]
/** Whoever puts it in order is killed at the same step. */
const TWICE: readonly (readonly Actor[])[] = [['self', 'again']]
/** Every set of those who hold an attempt. */
const EACH: readonly (readonly Actor[])[] = [
  ['agent'],
  ['wrapper'],
  ['worker'],
  ['agent', 'wrapper'],
  ['agent', 'worker'],
  ['wrapper', 'worker'],
  ['agent', 'wrapper', 'worker'],
]
/** Where the agent does not live, or not yet. */
const WITHOUT_AGENT = EACH.filter(who => !who.includes('agent'))
/** Where the worker is dead by the point itself. */
const WITH_OTHERS = EACH.filter(who => who.length > 1 || who[0] !== 'worker')
/** Nobody is left who would start a worker again: somebody has to look. */
const AND_WATCHDOG: readonly (readonly Actor[])[] = [['worker', 'watchdog']]

function strikes(
  story: StoryName,
  points: readonly string[],
  blows: readonly (readonly Actor[])[],
): Case[] {
  return points.flatMap(point => blows.map(who => ({ story, point, who })))
}

const all = (step: string, except: readonly string[] = []) =>
  pointsOf(step).filter(point => !except.includes(point))

/** The submission up to its row: what is killed before it was never announced. */
const UNANNOUNCED = [
  'store.made',
  'store.migrated',
  'submission.planned',
  'submission.directory-made',
  'submission.repository-written',
  'submission.prompt-written',
  'submission.prompt-synced',
  'submission.environment-written',
  'submission.environment-synced',
  'submission.request-synced',
  'base.looked-at',
  'submission.base-captured',
  'submission.row-written',
]
const CAPTURE = [
  'base.index-copied',
  'base.blobs-given',
  'base.commits-given',
  'base.imported',
  'base.read-back',
]
const ANNOUNCED = ['submission.row-committed', 'submission.rung', 'submission.id-written']
const RING = ['ring.bell-touched', 'ring.watchdog-started']
const WORKER_START = pointsOf('Starting a worker').filter(point => point.startsWith('worker.'))
const CONVERSE = pointsOf('Talking with an agent').filter(point => point.startsWith('converse.'))
const LET_GO = 'adding.let-go'
const SETTLE = all('Ending')
/** Of an attempt whose agent has ended by itself. */
const STOP_OF_NOBODY = ['stop.found', 'stop.ended']
const REPOSITORIES = ['collect.repositories-written', 'collect.repositories-renamed']
const COLLECT = all('Collecting', ['collect.ref-made', ...REPOSITORIES])
const AGENT = pointsOf('The wrapper and the agent').filter(
  point => point.startsWith('agent.') && point !== 'agent.readied',
)
const END = pointsOf('The wrapper and the agent').filter(point => point.startsWith('end.'))
const WRAPPER = ['wrapper.detaching', 'wrapper.born', 'wrapper.written']
/** The agent lives, and the worker is at a step of its own. */
const ATTENDED = ['launch.agent-seen', 'launch.agent-synced', ...pointsOf('Following')]
const OWN_HOME = ['agent-home.made', 'agent-home.ready']
const SCHEMA_KEPT = 'launch.schema-kept'
const LAUNCH = all('Launching', ['launch.ended', 'launch.offered', SCHEMA_KEPT, ...OWN_HOME])
const OF_SET_UP = ['worktree.included', 'worktree.directories-brought', 'worktree.marked']
const CLEANING = pointsOf('Cleaning up before a worktree is put away')
const OF_OUTPUT = ['spare.output-moved', 'spare.output-removed']
const SNAPSHOT = ['snapshot.ignored-kept', 'snapshot.taken', 'snapshot.recorded']
const SUBMODULES_KEPT = ['snapshot.submodule-held', 'snapshot.submodules-kept']
const SUBMODULES_PLACED = 'restore.submodules-placed'
const RETIRING = all('Retiring', SUBMODULES_KEPT)
const RESTORING = all('Restoring', [SUBMODULES_PLACED])
const HAND_OFF_UNDO = ['hand-off.files-taken-back', 'hand-off.session-taken-back']
const OF_OWN_HOME = 'agent-home.session-carried'
const HAND_OFF = all('Handing off (the command `handoff`)', [...HAND_OFF_UNDO, OF_OWN_HOME])
/** Of the steps that a pick shares with others: half of its files, and all of them, are in place. */
const PICKED = [
  'apply.journal-written',
  'apply.directory-made',
  'exchange.taken-away',
  'exchange.put',
  'apply.exchanged',
  'undo.directory-removed',
  'undo.journal-removed',
] as const
const MOVED_BACK = ['pick.index-filled', 'pick.head-moved', 'pick.index-moved']
const HAND_BACK_UNDO = 'hand-back.files-taken-back'
const HAND_BACK = all('Handing back', [HAND_BACK_UNDO])
const WORKTREE = all('Making a worktree', [
  'worktree.staged',
  'worktree.submodule-made',
  'worktree.start-placed',
  ...OF_SET_UP,
])

const COMPRESS = [
  'raw-output.written',
  'raw-output.compressed',
  'raw-output.plain-removed',
] as const

export const cases: readonly Case[] = [
  ...strikes('unannounced', UNANNOUNCED, SELF),
  ...strikes('unannounced with changes', [...CAPTURE, 'submission.base-captured'], SELF),
  ...strikes('unannounced review', ['base.read-back', 'submission.prompt-written'], SELF),
  ...strikes('review', [SCHEMA_KEPT, 'collect.ref-made', 'settle.committed'], SELF),
  ...strikes(
    'unannounced with a submodule',
    ['base.submodule-captured', ...CAPTURE, 'submission.base-captured'],
    SELF,
  ),
  ...strikes(
    'unannounced with set-up',
    [
      'submission.scripts-written',
      'included.bytes-written',
      'included.list-written',
      'submission.base-captured',
    ],
    SELF,
  ),
  ...strikes(
    'refused',
    [
      'submission.directory-made',
      'base.looked-at',
      ...all('Taking back a submission that was refused'),
    ],
    SELF,
  ),
  ...strikes('leftover', all('Putting in order what a death left'), SELF),

  ...strikes('plain', [...ANNOUNCED, ...RING, ...WORKER_START], SELF),
  ...strikes('plain', ['worker.post-taken', 'worker.adopted'], AND_WATCHDOG),
  ...strikes('plain', all('Claiming'), SELF),
  ...strikes('plain', ['claim.committed'], AND_WATCHDOG),
  ...strikes('plain', [...WORKTREE, ...LAUNCH], SELF),
  ...strikes(
    'plain',
    ['worktree.registered', 'launch.record-synced', 'launch.agent-synced'],
    AND_WATCHDOG,
  ),
  ...strikes('plain', WRAPPER, WITHOUT_AGENT),
  ...strikes('plain', AGENT, EACH),
  ...strikes(
    'plain',
    ['agent.mid-model', 'agent.mid-tool'],
    [['agent', 'wrapper', 'worker', 'watchdog'], ...AND_WATCHDOG],
  ),
  ...strikes('plain', pointsOf('Following'), SELF),
  ...strikes('plain', ATTENDED, WITH_OTHERS),
  ...strikes('plain', END, WITHOUT_AGENT),
  ...strikes('plain', [...STOP_OF_NOBODY, ...COLLECT, ...SETTLE], SELF),
  ...strikes('plain', ['collect.imported', 'settle.committed'], AND_WATCHDOG),
  ...strikes(
    'plain',
    [...WORKER_START, ...all('Claiming'), ...WORKTREE, ...LAUNCH, ...pointsOf('Following')],
    TWICE,
  ),
  ...strikes('plain', [...STOP_OF_NOBODY, ...COLLECT, ...SETTLE], TWICE),

  ...strikes(
    'late',
    ['follow.lines-read', 'follow.step-written', 'follow.step-recorded'],
    [...SELF, ...WITH_OTHERS],
  ),

  ...strikes(
    'changes',
    ['worktree.filled', 'worktree.staged', 'worktree.recorded', ...COLLECT],
    SELF,
  ),
  ...strikes('changes', ['agent.mid-model', 'agent.mid-tool'], EACH),

  ...strikes(
    'submodule',
    [
      'worktree.filled',
      'worktree.submodule-made',
      'worktree.recorded',
      ...COLLECT,
      ...REPOSITORIES,
    ],
    SELF,
  ),

  ...strikes(
    'set-up',
    [
      'worktree.included',
      'worktree.directories-brought',
      'worktree.recorded',
      'launch.agent-seen',
      'settle.committed',
    ],
    SELF,
  ),
  ...strikes('included', ['worktree.included', 'worktree.marked'], SELF),
  ...strikes('set-up', ['agent.readied', 'agent.begun', 'agent.mid-tool'], EACH),
  ...strikes(
    'nothing',
    ['collect.ref-made', 'collect.patch-renamed', 'collect.counted', 'settle.committed'],
    SELF,
  ),

  ...strikes(
    'resume',
    [
      'stop.found',
      'stop.ended',
      ...SETTLE.filter(point => point !== 'settle.environment-forgotten'),
    ],
    SELF,
  ),
  ...strikes('resume', [...all('Claiming'), ...LAUNCH, ...pointsOf('Following')], SELF),
  ...strikes('resume', WRAPPER, WITHOUT_AGENT),
  ...strikes('resume', ['agent.begun', 'agent.mid-tool', 'agent.turn-ended'], EACH),

  ...strikes(
    'told more',
    ['message.written', 'message.committed', 'message.launched', 'message.heard'],
    SELF,
  ),
  ...strikes(
    'followed',
    ['base.held', 'submission.row-written', 'submission.row-committed', 'message.launched'],
    SELF,
  ),

  ...strikes(
    'cancel',
    ['cancel.requested', 'cancel.rung', 'cancel.heard', ...all('Stopping', ['stop.voided'])],
    SELF,
  ),
  ...strikes('cancel', ['cancel.heard', 'stop.found', 'stop.asked', 'stop.frozen'], WITH_OTHERS),
  ...strikes('cancel', ['cancel.heard', 'stop.frozen'], AND_WATCHDOG),
  ...strikes('cancel', [...COLLECT, ...SETTLE], SELF),
  ...strikes('cancel after', ['agent.mid-tool'], EACH),
  ...strikes('cancel with its caller', ['cancel.caller-ended'], SELF),
  ...strikes(
    'cancel in the queue',
    ['cancel.requested', 'transition.written', 'cancel.environment-forgotten'],
    SELF,
  ),

  ...strikes('failure', ['agent.mid-tool', 'agent.turn-ended'], EACH),
  ...strikes('failure', END, WITHOUT_AGENT),
  ...strikes('failure', [...STOP_OF_NOBODY, ...COLLECT, ...SETTLE], SELF),

  ...strikes(
    'parked',
    ['settle.judged', 'transition.written', 'settle.committed', 'claim.written', 'claim.committed'],
    [...SELF, ...AND_WATCHDOG],
  ),
  ...strikes('questions', CONVERSE, [...SELF, ...TWICE, ...AND_WATCHDOG]),
  ...strikes(
    'questions',
    ['answer.committed', 'follow.lines-read', 'follow.step-recorded', 'settle.stopped'],
    SELF,
  ),
  ...strikes('program', ['agent.mid-tool'], EACH),
  ...strikes('no agent', all('Retiring', [...SNAPSHOT, ...SUBMODULES_KEPT]), SELF),
  ...strikes('put away', RETIRING, [...SELF, ...TWICE]),
  ...strikes('put away', ['base.imported', 'base.read-back'], SELF),
  ...strikes(
    'put away with a submodule',
    [...SUBMODULES_KEPT, 'snapshot.taken', 'retire.renamed', 'retire.unregistered'],
    [...SELF, ...TWICE],
  ),
  ...strikes('brought back with a submodule', ['worktree.staged', SUBMODULES_PLACED], SELF),
  ...strikes('spare', all('Making a spare worktree, and taking it over', OF_OUTPUT), [
    ...SELF,
    ...TWICE,
  ]),
  ...strikes('spare with build output', OF_OUTPUT, SELF),
  ...strikes('trash emptied', all('Emptying the trash'), [...SELF, ...TWICE]),
  ...strikes('put away by doctor', RETIRING, SELF),
  ...strikes(
    'cleaned up',
    [...CLEANING, 'launch.record-synced', 'launch.handed-over', ...RETIRING],
    SELF,
  ),
  ...strikes('cleaned up', ['clean-up.launched', 'clean-up.over'], TWICE),
  ...strikes('cleaned up by doctor', [...CLEANING, 'launch.record-synced'], SELF),
  ...strikes('brought back', RESTORING, SELF),
  ...strikes('reclaim', [...pointsOf('Reclaiming build output'), ...COMPRESS], SELF),
  ...strikes('raw output dropped', ['raw-output.drop-noted', 'raw-output.dropped'], SELF),
  ...strikes(
    'brought back by doctor',
    [...RESTORING, 'worktree.registered', 'worktree.filled', 'worktree.staged'],
    SELF,
  ),
  ...strikes('brought back', ['worktree.registered', 'worktree.filled', 'worktree.staged'], SELF),
  ...strikes(
    'no worktree',
    [...all('Taking back a worktree that was half made'), 'settle.committed'],
    SELF,
  ),
  ...strikes(
    'worktree anew',
    [...all('Taking back a worktree that was half made'), ...WORKTREE],
    SELF,
  ),
  ...strikes(
    'unlaunched',
    ['launch.ended', 'stop.voided', 'settle.stopped', 'settle.committed', 'launch.handed-over'],
    SELF,
  ),
  ...strikes(
    'two in a row',
    ['worker.card-removed', 'worker.post-released'],
    [...SELF, ['worker']],
  ),
  ...strikes('adopt', ['adopt.locked', 'adopt.recorded'], SELF),
  ...strikes('branch', pointsOf('Making a branch (the commands `branch` and `pr`)'), SELF),
  ...strikes('apply', pointsOf('Applying (the command `apply`)'), SELF),
  ...strikes(
    'picked',
    [
      ...all('Picking (the command `pick`)', ['pick.passed-over', 'unpick.row-committed']),
      ...PICKED,
    ],
    SELF,
  ),
  ...strikes(
    'picked of a group',
    ['pick.row-committed', 'pick.passed-over', 'snapshot.recorded', 'retire.renamed'],
    SELF,
  ),
  ...strikes('pick taken back', ['unpick.row-committed', ...MOVED_BACK, ...PICKED], SELF),
  ...strikes(
    'group',
    ['base.held', 'submission.base-captured', 'submission.row-written', 'submission.row-committed'],
    SELF,
  ),
  ...strikes('verified', pointsOf('Verifying (`--verify`)'), [...SELF, ...TWICE, ...AND_WATCHDOG]),
  ...strikes(
    'verified',
    [
      ...['launch.directory-made', 'launch.record-synced', 'launch.handed-over'],
      ...['message.written', 'message.launched', 'message.heard'],
    ],
    SELF,
  ),
  ...strikes(
    'verified by one that writes',
    ['verify.launched', 'verify.stopped', 'verify.judged', 'settle.judged'],
    SELF,
  ),
  ...strikes('verification killed', ['verify.stopped', 'verify.judged'], SELF),
  ...strikes('handed off', [...HAND_OFF, 'exchange.put', 'apply.row-committed'], SELF),
  ...strikes('handed off by doctor', HAND_OFF, SELF),
  ...strikes('hand-off taken back', [...HAND_OFF_UNDO, 'undo.journal-removed'], SELF),
  ...strikes('handed back', [...HAND_BACK, 'exchange.put', 'apply.journal-closed'], SELF),
  ...strikes('handed back by doctor', HAND_BACK, SELF),
  ...strikes('hand-back taken back', [HAND_BACK_UNDO, 'undo.exchanged'], SELF),
  ...strikes('own home', OWN_HOME, [...SELF, ...TWICE]),
  ...strikes('own home', [OF_OWN_HOME], SELF),
  ...strikes('undo', pointsOf('Taking back (`apply --undo`, or an application that failed)'), SELF),
  ...strikes('undo', ['exchange.taken-away', 'exchange.put'], SELF),
  ...strikes('uninstall', pointsOf('Leaving for good (the command `uninstall --purge`)'), SELF),
  ...strikes(
    'in hosts',
    pointsOf('Adding to hosts, and taking out again (the commands `setup` and `uninstall`)'),
    SELF,
  ),
  ...strikes('shown', ['submission.shown'], SELF),
  ...strikes(
    'opened',
    ['launch.offered', ...pointsOf('Opening (the command `open`)'), 'settle.judged'],
    SELF,
  ),
  ...strikes(
    'with the machine',
    pointsOf('Starting with the machine (the commands `worker install` and `worker uninstall`)'),
    SELF,
  ),
  ...strikes('codex', ['agent.mid-model', 'agent.mid-tool'], EACH),
  ...strikes('codex with changes', ['agent.mid-tool'], EACH),
  ...strikes('codex resumed', ['agent.mid-tool'], EACH),
  ...strikes('codex cancelled', ['cancel.heard', 'stop.found'], [...SELF, ...WITH_OTHERS]),
  ...strikes('codex cancelled', ['stop.asked', 'stop.ended', 'settle.stopped'], SELF),
  ...strikes('codex cancelled after', ['agent.mid-tool'], EACH),
  ...strikes('codex failed', ['agent.mid-model', 'agent.mid-tool'], EACH),
  ...strikes('retry', ['base.held', 'submission.row-written', 'submission.row-committed'], SELF),
  ...strikes('kept aside', pointsOf('Snapshots of a running task'), [...SELF, ...TWICE]),
  ...strikes(
    'lost',
    ['base.held', 'start.held', 'worktree.registered', 'worktree.staged', 'worktree.start-placed'],
    SELF,
  ),
  ...strikes('after', ['transition.written', 'settle.committed', 'claim.committed'], SELF),
  ...strikes('told', ['delivery.accepted', 'delivery.recorded'], [...SELF, ...TWICE]),
  ...strikes('unannounced by a session', ['caller-token.kept'], SELF),
  ...strikes('told by a session', ['caller-token.forgotten'], SELF),
  ...strikes('asked by a plugin', ['request.kept'], SELF),
  ...strikes('shown by a plugin', ['shown.written'], SELF),
  ...strikes('a worktree alone', all('Adding a worktree without a task', [LET_GO]), SELF),
  ...strikes(
    'a worktree alone given back',
    [
      LET_GO,
      ...['snapshot.recorded', 'retire.renamed', 'retire.forgotten'],
      ...['restore.planned', 'restore.made', 'restore.recorded'],
    ],
    SELF,
  ),
  ...strikes('a turn by a plugin', ['settings.written', 'turn.kept'], SELF),
  ...strikes('worker stopped', all('Leaving (a worker with nothing to do, or told to stop)'), SELF),
]
