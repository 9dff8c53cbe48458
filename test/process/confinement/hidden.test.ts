import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { leadTemporary } from '../../../src/process/confinement/confinement.ts'
import { findHidden } from '../../../src/process/confinement/hidden.ts'
import { whatToSet } from '../../../src/process/linux/confinement.ts'
import { scratchDirectory } from '../../scratch.ts'

function makeHome(...files: string[]): string {
  const home = scratchDirectory()
  for (const file of files) {
    mkdirSync(dirname(join(home, file)), { recursive: true })
    writeFileSync(join(home, file), '')
  }
  return home
}

const nothing = { always: [], replaced: [] }

test('what is there is hidden, by its real path, directories and files apart', () => {
  const home = makeHome('.ssh/id', '.netrc', '.zsh_history', 'real/kube/config', 'plain.txt')
  symlinkSync(join(home, 'real/kube'), join(home, '.kube'))
  symlinkSync(join(home, 'nowhere'), join(home, '.aws'))
  expect(findHidden([home], {}, nothing)).toEqual({
    directories: [join(home, '.ssh'), join(home, 'real/kube')],
    files: [join(home, '.netrc'), join(home, '.zsh_history')],
  })
})

test('what variables name is hidden too, but no home directory with it', () => {
  const home = makeHome('a', 'b', 'keys/x')
  const environment = {
    KUBECONFIG: `${home}/a:${home}/b:relative:${home}/missing`,
    GNUPGHOME: join(home, 'keys'),
    DOCKER_CONFIG: home,
    NETRC: '/',
  }
  expect(findHidden([home], environment, nothing)).toEqual({
    directories: [join(home, 'keys')],
    files: [join(home, 'a'), join(home, 'b')],
  })
})

test('of what lies within another only the outer is named, and nothing of what is replaced', () => {
  const home = makeHome('.ssh/id', 'state/store.db', 'state/.netrc')
  const environment = { NETRC: join(home, 'state/.netrc'), SSH_AUTH_SOCK: join(home, '.ssh/id') }
  const state = join(home, 'state')
  expect(findHidden([home], environment, { always: [state], replaced: [] })).toEqual({
    directories: [state, join(home, '.ssh')],
    files: [],
  })
  expect(findHidden([home], environment, { always: [state], replaced: [home] })).toEqual({
    directories: [state],
    files: [],
  })
})

test('temporary files are led to where they can be written', () => {
  expect(leadTemporary({ TMPDIR: '/elsewhere', NPM_CONFIG_CACHE: '/mine' }, '/t')).toEqual({
    TMPDIR: '/t',
    NPM_CONFIG_CACHE: null,
    GOCACHE: '/t/.cache/go-build',
    UV_CACHE_DIR: '/t/.cache/uv',
    npm_config_cache: '/t/.cache/npm',
  })
})

test.each<[Record<string, string>, RegExp]>([
  [{ 'kernel/unprivileged_userns_clone': '0' }, /kernel\.unprivileged_userns_clone=1/],
  [{ 'user/max_user_namespaces': '0' }, /user\.max_user_namespaces/],
  [{ 'kernel/apparmor_restrict_unprivileged_userns': '1' }, /AppArmor/],
  [{}, /container/],
])('where it does not work, %j says what to set', (settings, words) => {
  expect(whatToSet(name => settings[name])).toMatch(words)
})
