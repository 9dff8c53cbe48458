/** Repositories with submodules, and what agents do in them. */
import { execFileSync } from 'node:child_process'
import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { makePayload, makeRepository, makeScene, Repository, type Scene } from './scene.ts'

export const ALLOWED = ['-c', 'protocol.file.allow=always']

export const within = (repository: Repository, path: string) =>
  new Repository(repository.scene, join(repository.root, path))

/** With a submodule `lib/sub`, that has another one in it, `deep`. */
export function makeSuper(scene = makeScene()): Repository {
  const deep = makeRepository(scene, { name: 'origin-deep' })
  const sub = makeRepository(scene, { name: 'origin-sub' })
  sub.git(...ALLOWED, 'submodule', '-q', 'add', deep.root, 'deep')
  sub.commit('with a submodule')
  const repository = makeRepository(scene)
  repository.git(...ALLOWED, 'submodule', '-q', 'add', sub.root, 'lib/sub')
  repository.git(...ALLOWED, 'submodule', '-q', 'update', '--init', '--recursive')
  repository.commit('with submodules')
  return repository
}

/** The same, seen by someone who has not initialised them. */
export function makeFresh(scene = makeScene()): Repository {
  const origin = makeSuper(scene)
  const fresh = new Repository(scene, join(scene.top, 'fresh'))
  origin.git('clone', '-q', origin.root, fresh.root)
  return fresh
}

export function makeDirty(repository: Repository): void {
  repository.write('edited.txt', 'one\nstaged\nthree\n')
  repository.git('add', 'edited.txt')
  repository.write('kept.txt', 'edited\n')
  repository.remove('removed.txt')
  repository.write('untracked.txt', 'mine\n')
}

/** All that plain git would run in a repository. */
export function setTrap(scene: Scene, repository: Repository, gitDir: string) {
  const payload = makePayload(scene)
  const config = { 'core.fsmonitor': payload.program, 'diff.external': payload.program }
  for (const [key, value] of Object.entries({
    ...config,
    'filter.evil.clean': payload.program,
    'filter.evil.process': payload.program,
    'core.hooksPath': scene.home,
    'core.sshCommand': payload.program,
    'uploadpack.packObjectsHook': payload.program,
    'core.gitProxy': payload.program,
    'core.alternateRefsCommand': payload.program,
    'gpg.program': payload.program,
    'remote.evil.promisor': 'true',
    'remote.evil.url': 'ssh://nowhere.invalid/x',
    'include.path': join(scene.home, 'more'),
  })) {
    execFileSync('git', ['config', '--file', join(gitDir, 'config'), key, value])
  }
  for (const hook of ['reference-transaction', 'post-index-change', 'pre-commit']) {
    symlinkSync(payload.program, join(scene.home, hook))
  }
  repository.write('.gitattributes', '* filter=evil diff=evil merge=evil\n')
  repository.write('edited.txt', 'changed\n')
  return payload
}
