/** Which command installs what a checkout needs, told from the names of its files. */
import { expect, test } from 'vitest'
import { findInstallations } from '../../src/domain/ecosystems.ts'

test.each<[readonly string[], string | undefined, readonly string[]]>([
  [[], undefined, []],
  [['package.json', 'README.md'], undefined, []],
  [['package-lock.json'], undefined, ['npm ci']],
  [['npm-shrinkwrap.json', 'package-lock.json'], undefined, ['npm ci']],
  [['pnpm-lock.yaml', 'package-lock.json'], undefined, ['pnpm install --frozen-lockfile']],
  [['pnpm-lock.yaml', 'package-lock.json'], 'npm@11.0.0', ['npm ci']],
  [['yarn.lock'], undefined, ['yarn install --frozen-lockfile']],
  [['yarn.lock'], 'yarn@1.22.0', ['yarn install --frozen-lockfile']],
  [['yarn.lock'], 'yarn@4.1.0', ['yarn install --immutable']],
  [['yarn.lock', '.yarnrc.yml'], undefined, ['yarn install --immutable']],
  [['bun.lock'], undefined, ['bun install --frozen-lockfile']],
  [['Cargo.lock', 'uv.lock'], undefined, ['uv sync --frozen', 'cargo fetch --locked']],
  [['go.sum', 'package-lock.json'], 'pnpm@9', ['npm ci', 'go mod download']],
])('%j with packageManager %s: %j', (names, packageManager, commands) => {
  const found = findInstallations(new Set(names), packageManager)
  expect(found.map(({ argv }) => argv.join(' '))).toEqual(commands)
})
