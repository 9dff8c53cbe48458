/**
 * Every step of a task's life at which something is made or removed that outlasts us: a row, a
 * file, a ref, a process. Tests kill us at each of them (`npm run test:faults`), so a new step needs
 * its point here and its `reach` where it happens; a test holds the two together.
 *
 * A point says what is true when it is reached. Between two of one group nothing else is made: each
 * is "after" for the one above it and "before" for the one below.
 */
const points = {
  'The store': {
    'store.made': 'the file of a new store is there, without a table',
    'store.migrated': 'its tables are made, and not yet committed',
  },
  'Handing in (the command `run`)': {
    'submission.planned': 'nothing speaks against it, and nothing is made',
    'submission.directory-made': 'the task directory is there, and empty',
    'submission.repository-written': 'it says which repository it is for',
    'submission.prompt-written': 'the prompt is written, and not yet synced',
    'submission.prompt-synced': 'the prompt is on disk',
    'submission.environment-written': 'the environment is written, and not yet synced',
    'submission.environment-synced': 'the environment is on disk',
    'submission.scripts-written': 'the scripts of a trusted set-up are on disk',
    'submission.request-synced': 'so are the directories that name them',
    'base.held': 'what an earlier task started from is held for this one too',
    'start.held': 'so is the snapshot of its files, which were lost',
    'base.looked-at': 'the working files were looked at, and the commit is held by a ref',
    'included.bytes-written': 'the ignored files that come along are read and kept',
    'included.list-written': 'it is written down which they are',
    'base.submodule-captured':
      'what a submodule starts from is held by a ref of its own repository',
    'base.index-copied': 'a private copy of the index is there',
    'base.blobs-given': 'the changed files are read, and their commit is not yet made',
    'base.commits-given': 'git was told the commits, and not that this is all',
    'base.imported': 'the commits are on disk, and the ref names the last one',
    'base.read-back': 'they were compared with what was read',
    'submission.base-captured': 'all is there but the row',
    'submission.row-written': 'the row is written, and not yet committed',
    'submission.row-committed': 'the task is in the store; nobody was told',
    'submission.rung': 'a worker was told, or started',
    'submission.shown': 'a tmux session shows what it does',
    'submission.id-written': 'the caller knows the id',
  },
  'Taking back a submission that was refused': {
    'refusal.ref-dropped': 'the ref is gone',
    'refusal.directory-removed': 'so is the task directory',
  },
  'Starting a worker': {
    'ring.bell-touched': 'a worker that is up has been told',
    'ring.watchdog-started': 'where none was, a watchdog has been started',
    'worker.begun': 'it is up, and has not asked for the post',
    'worker.post-taken': 'it holds the lock; nobody can see who',
    'worker.card-written': 'its card is written beside its place',
    'worker.card-renamed': 'its card is in its place',
    'worker.watchdog-named': 'its watchdog is in charge',
    'worker.adopted': 'it attends to what was under way',
  },
  'Putting in order what a death left': {
    'reconcile.environment-forgotten': 'the environment is gone',
    'reconcile.ref-dropped': 'the ref of an abandoned submission is gone',
    'reconcile.directory-removed': 'so is its task directory',
  },
  'Leaving (a worker with nothing to do, or told to stop)': {
    'stop-worker.watchdog-dismissed': 'no watchdog is in charge; the worker was not yet told',
    'worker.card-removed': 'its card is gone; it holds the lock',
    'worker.post-released': 'anybody may become the worker',
  },
  Claiming: {
    'claim.written': 'the attempt and its number are written, and not yet committed',
    'claim.committed': 'the task is `starting`; nothing of the attempt exists',
  },
  'Making a worktree': {
    'worktree.leased': 'its row and its lease are committed',
    'worktree.locked': 'no one else changes the registrations of this repository',
    'worktree.registered': 'git has registered it; it holds no file',
    'worktree.filled': 'the working files are written, and its index says the same',
    'worktree.staged': 'its index is what the caller had staged',
    'worktree.submodule-made': 'a submodule has a repository in it, and no files',
    'worktree.start-placed': 'it has the files that were kept aside of the task before',
    'worktree.included': 'the ignored files that come along are in it',
    'worktree.directories-brought': 'the ignored directories that come along are in it',
    'worktree.marked': 'its set-up is over',
    'worktree.recorded': 'its record is committed',
  },
  'Making a spare worktree, and taking it over': {
    'spare.planned': 'its row says where it will stand',
    'spare.made': 'it stands; its row does not say so',
    'spare.recorded': 'a task may take it over',
    'spare.output-moved': 'build output of a worktree that was put away is in it',
    'spare.output-removed': 'it is out of it again, for the task may not run it',
    'spare.dropped': 'one that was not wanted any more is gone, and its row is not',
    'spare.taken': 'its row says which worktree it is to become',
    'spare.filled': 'the task’s files are in it',
    'spare.locked': 'its lock bears the name of the task',
    'spare.renamed': 'its registration says where it will stand',
    'spare.moved': 'it stands there',
  },
  'Taking back a worktree that was half made': {
    'discard.renamed': 'it is out of its place',
    'discard.unregistered': 'git has forgotten it',
    'discard.unlinked': 'its files are gone',
  },
  Launching: {
    'ports.claimed': 'the ports of the worktree are its own',
    'agent-home.made': 'a home of the agent’s for this worktree alone is there, and empty',
    'agent-home.ready': 'it shows what the user has in theirs',
    'launch.schema-kept': 'the form that its answer is to have is in a file',
    'launch.noted': 'the log says that it starts',
    'launch.directory-made': 'the run directory is there, and empty',
    'launch.stdin-written': 'what the agent will read is on disk',
    'launch.files-made': 'its other files are there, and empty',
    'launch.record-written': '`launch.json` is written beside its place, and synced',
    'launch.record-renamed': '`launch.json` is in its place',
    'launch.record-synced': 'so it is on disk: from here on something may live',
    'launch.handed-over': 'the wrapper is a process of its own',
    'launch.offered': 'what is to run at a terminal is offered to whoever sits there',
    'launch.agent-seen': 'the agent has written itself down',
    'launch.agent-synced': 'and that is on disk',
    'launch.ended': 'a launch that failed has left no process',
  },
  'Opening (the command `open`)': {
    'open.taken': 'the offer is taken; nobody knows by whom',
    'open.recorded': 'it is written down by whom; nothing of it runs',
    'open.over': 'what ran at the terminal has ended',
  },
  Following: {
    'follow.agent-seen': 'the agent was seen, and the row says `starting`',
    'follow.running': 'the row says `running`',
    'follow.lines-read': 'lines of output were read, and not recorded',
    'follow.step-written': 'they are written with their offset, and not yet committed',
    'follow.step-recorded': 'they are committed',
  },
  'Snapshots of a running task': {
    'snapshotting.bundle-written': 'its files are written beside their place',
    'snapshotting.bundle-renamed': 'they are in their place, and no row says so',
    'snapshotting.recorded': 'the row names them',
    'snapshotting.older-removed': 'those of the one before are gone',
  },
  'Talking with an agent': {
    'message.written': 'what somebody says to a task is written, and not yet committed',
    'message.committed': 'it is in the store; no worker was told',
    'message.launched': 'it is written down with which attempt it is told',
    'message.heard': 'it is written down that the agent has it',
    'answer.committed': 'what somebody answers is in the store; the agent was not told',
    'converse.said': 'something was said to an agent that can be talked to',
    'converse.question-recorded': 'that it asks, or was answered, stands in its row',
  },
  'Cancelling (the command `cancel`, then the worker)': {
    'cancel.requested': 'the row says that its end was asked for',
    'cancel.environment-forgotten': 'a task that never started has no environment any more',
    'cancel.rung': 'the worker was told',
    'cancel.heard': 'the worker has taken it up',
    'cancel.caller-ended': 'its caller has ended, and the row says that it ends too',
  },
  Stopping: {
    'stop.voided': 'an agent that did not write itself down yet cannot start any more',
    'stop.found': 'its processes are known',
    'stop.asked': 'the agent was asked to end',
    'stop.frozen': 'all of its processes are frozen',
    'stop.killed': 'all of them were killed',
    'stop.ended': 'none of them lives',
  },
  Collecting: {
    'collect.index-copied': 'a private copy of the worktree’s index is there',
    'collect.blobs-given': 'the changed files are read, and their commit is not yet made',
    'collect.commit-given': 'git was told the commit, and not that this is all',
    'collect.imported': 'the commit is on disk, and the ref names it',
    'collect.ref-made': 'where nothing changed, the ref names the base',
    'collect.patch-written': 'the patch is written beside its place',
    'collect.patch-renamed': 'the patch is in its place',
    'collect.bundle-written': 'the bundle is written beside its place',
    'collect.bundle-renamed': 'the bundle is in its place',
    'collect.repositories-written': 'work in repositories inside is written beside its place',
    'collect.repositories-renamed': 'it is in its place',
    'collect.counted': 'its lines are counted',
  },
  'Verifying (`--verify`)': {
    'verify.noted': 'its row says that the work is verified; nothing of that exists',
    'verify.launched': 'the command runs, and is nobody’s child',
    'verify.stopped': 'nothing of it lives; the row says nothing of how it ended',
    'verify.judged': 'the row says what it came to; the task goes on as before',
  },
  Ending: {
    'settle.stopped': 'nothing of the attempt lives',
    'settle.rest-taken': 'all that it said is in the store',
    'settle.judged': 'it is known what it came to, and it is collected if it is over',
    'transition.written': 'a new state is written, and not yet committed',
    'settle.committed': 'the new state is committed',
    'settle.environment-forgotten': 'a task that has ended has no environment any more',
  },
  'The hooks of a plugin': {
    'request.kept': 'what was typed after a command is in its file; the model was not told yet',
    'shown.written': 'it is written down what a caller session is about to be shown',
    'turn.kept': 'it is written down how a checkout stands, and what its reviews came to',
    'settings.written': 'changed settings of the user are written beside their place',
  },
  'Telling subscribers': {
    'caller-token.kept': 'the token of the caller session lies in its private file',
    'delivery.accepted': 'a channel has accepted a message; its rows say that it is owed',
    'delivery.recorded': 'they say that it was sent',
    'caller-token.forgotten': 'nothing is owed to the caller session, and its token is gone',
  },
  Retiring: {
    'snapshot.ignored-kept': 'ignored files are beside the snapshot that is to be',
    'snapshot.submodule-held': 'what a submodule borrows is held by a ref of its own repository',
    'snapshot.submodules-kept': 'submodules are beside the snapshot that is to be',
    'snapshot.taken': 'the state of the worktree is held by a ref',
    'snapshot.recorded': 'and its row says so',
    'retire.proven': 'all that is in the worktree is in the result',
    'retire.renamed': 'it is in the trash',
    'retire.proven-again': 'nothing came into it meanwhile',
    'registration.aside': 'its git directory is out of its place',
    'retire.unregistered': 'git has forgotten it',
    'retire.unlinked': 'its files are gone, or wait for that in the trash',
    'retire.forgotten': 'its row is gone',
  },
  'Adding a worktree without a task': {
    'adding.planned': 'its row says where it will stand',
    'adding.taken': 'ignored files that come along are read and kept',
    'adding.made': 'it stands, and its row does not say so',
    'adding.recorded': 'its row says so; the ignored files are still kept',
    'adding.held': 'it is written down who it is for',
    'adding.let-go': 'whoever it was for is through with it, and nobody holds it; it stands',
  },
  'Emptying the trash': {
    'purge.proven': 'all that is in a tree is in its commit, hashed',
    'purge.unlinked': 'its files are gone',
  },
  'Cleaning up before a worktree is put away': {
    'clean-up.marked': 'the snapshot says that what the clean-up deletes may be nowhere else',
    'clean-up.launched': 'the clean-up runs, and is nobody’s child',
    'clean-up.over': 'nothing of it lives; the worktree is as the clean-up has left it',
  },
  Restoring: {
    'restore.planned': 'the row of the worktree says where it will stand',
    'restore.submodules-placed': 'what was kept of its submodules is in it',
    'restore.made': 'the worktree stands again',
    'restore.recorded': 'and its row says so',
  },
  'Reclaiming build output': {
    'reclaim.moved': 'a directory that a program makes anew is out of its place, in the trash',
    'reclaim.unlinked': 'its files are gone',
  },
  'Keeping raw output small': {
    'raw-output.written': 'it is compressed beside itself, and synced',
    'raw-output.compressed': 'that was read back, and is in its place; the plain one is there too',
    'raw-output.plain-removed': 'the plain one is gone',
    'raw-output.drop-noted': 'it is written down that it is dropped; it is still there',
    'raw-output.dropped': 'it is gone from the disk',
  },
  'Taking over a worktree of another tool (the command `doctor --adopt`)': {
    'adopt.locked': 'it bears our lock, and nobody knows it',
    'adopt.recorded': 'its row says that it is ours',
  },
  'Making a branch (the commands `branch` and `pr`)': {
    'branch.committed': 'the commit is there; no branch is',
    'branch.made': 'the branch is there; the row does not say so',
  },
  'Handing off (the command `handoff`)': {
    'hand-off.files-written': 'the files are in the checkout, as an application',
    'hand-off.state-held': 'what the checkout is then is held by a ref',
    'agent-home.session-carried': 'the record of the session is in the home where it is to go on',
    'hand-off.session-carried': 'the session goes on in the checkout; the row does not say so',
    'hand-off.row-committed': 'the row says that the task was handed off',
    'hand-off.files-taken-back': 'of one that is taken back, the files are as they were',
    'hand-off.session-taken-back': 'so is the session; the row does not say so',
  },
  'Handing back': {
    'hand-back.state-held': 'what was done in the checkout since is held by a ref',
    'hand-back.files-written': 'it is in the files of the worktree',
    'hand-back.session-carried': 'the session goes on in the worktree; the row does not say so',
    'hand-back.row-committed': 'the row says that the task was handed back',
    'hand-back.files-taken-back': 'of one that is taken back, the files are as they were',
  },
  'Applying (the command `apply`)': {
    'apply.planned': 'what is to be written is known; there is nothing but a scratch directory',
    'apply.journal-written': 'the journal says what will be done, and what was before',
    'apply.contents-held': 'a ref holds the old contents',
    'apply.directory-made': 'the exchange directory is there, and says whose it is',
    'apply.files-copied': 'the new files lie in it, synced',
    'apply.exchanged': 'all files are as they should be; the journal does not say so',
    'apply.journal-closed': 'the journal says that the application stands',
    'apply.directory-removed': 'the exchange directory is gone; the row says nothing',
    'apply.row-committed': 'the row says that the result was taken',
  },
  'Picking (the command `pick`)': {
    'pick.committed': 'the commits are there; nothing points to them',
    'pick.index-filled': 'the files are in place, and the index that goes with them is in the lock',
    'pick.head-moved': 'HEAD has the commit; the index is as it was',
    'pick.index-moved': 'so has the index; the journal is still there',
    'pick.row-committed': 'the row says that the result was taken',
    'pick.passed-over': 'of a group, another member is archived, and its worktree put away',
    'unpick.row-committed': 'of one that is taken back, the row says that it is not taken',
  },
  'Exchanging working files': {
    'exchange.taken-away': 'a file is out of its place, and none is in it',
    'exchange.put': 'a file is in its place',
  },
  'Taking back (`apply --undo`, or an application that failed)': {
    'undo.directory-made': 'the exchange directory is there, and says whose it is',
    'undo.journal-opened': 'the journal says that it is being taken back',
    'undo.files-written': 'the old files lie in it, synced',
    'undo.exchanged': 'all files are as they were',
    'undo.directory-removed': 'the exchange directory is gone',
    'undo.ref-dropped': 'the old contents are held no longer',
    'undo.journal-removed': 'the journal is gone; the row may say that the result was taken',
  },
  'Starting with the machine (the commands `worker install` and `worker uninstall`)': {
    'boot.entry-written': 'the file of the entry is written beside its place',
    'boot.entry-renamed': 'it is in its place, and not enabled',
    'boot.entry-enabled': 'it is enabled',
    'boot.table-written': 'the line is in the crontab, or out of it',
    'boot.entry-disabled': 'it is not enabled any more',
    'boot.entry-removed': 'its file is gone',
  },
  'Adding to hosts, and taking out again (the commands `setup` and `uninstall`)': {
    'hosts.addition-written': 'what is to be added is written down, and not yet added',
    'hosts.added': 'the host has it',
    'hosts.taken-out': 'the host does not have it any more; it is still written down',
    'hosts.crossed-out': 'nor is it written down',
  },
  'Leaving for good (the command `uninstall --purge`)': {
    'uninstall.worktrees-removed': 'no worktree of ours is left; all results are still there',
    'uninstall.refs-dropped': 'no ref of ours is left in any repository',
    'uninstall.store-ended': 'nobody writes to the store any more',
    'uninstall.home-renamed': 'the state directory is out of its place',
    'uninstall.home-removed': 'nothing of it is left',
  },
} as const

/**
 * Steps of others than us, which no line of our own code marks: the wrapper's `sh` and the agent.
 * Tests reach them through the files that they open and the programs that they start.
 */
const foreign = {
  'The wrapper and the agent': {
    'wrapper.detaching': 'the wrapper is about to become a process of its own',
    'wrapper.born': 'it lives, and has not written itself down',
    'wrapper.written': 'it has; the agent does not exist',
    'agent.readied': 'the repository’s own command runs in front of the agent',
    'agent.begun': 'the agent is at its first instruction',
    'agent.session-named': 'it has named its session, and not written it down',
    'agent.session-kept': 'its session is written down',
    'agent.work-done': 'it has changed files, and not said so',
    'agent.mid-model': 'it waits for its model',
    'agent.mid-tool': 'it waits for its tool',
    'agent.turn-ended': 'it has said that its turn is over, and lives',
    'end.written': '`exit.json.new` is written, and not yet synced',
    'end.synced': 'it is on disk',
    'end.renamed': '`exit.json` is in its place; the wrapper is about to be gone',
  },
} as const

type Named<Groups> = { [Group in keyof Groups]: keyof Groups[Group] }[keyof Groups]

/** A point that our own code reaches. */
export type CrashPoint = Named<typeof points>

/** By step of a task's life, each with what is true when it is reached. */
export const crashPoints: Readonly<Record<string, Readonly<Record<string, string>>>> = points
export const foreignPoints: Readonly<Record<string, Readonly<Record<string, string>>>> = foreign

let hook: ((point: CrashPoint) => void) | undefined

/** Says that a step was reached. Nobody listens, except in a test. */
export function reach(point: CrashPoint): void {
  hook?.(point)
}

/** Only `crash-here.ts`, where a test has asked for it, and tests call this. */
export function onReach(listener: (point: CrashPoint) => void): void {
  hook = listener
}
