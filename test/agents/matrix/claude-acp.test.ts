import { testRow } from './row.ts'

testRow('claude-acp')
