/** Takes SQL files apart into statements, and says of each whether it may run unattended. Pure. */
import { RowferryError } from '../errors.ts';

type Engine = 'mysql' | 'postgres';

export interface ScriptStatement {
  readonly sql: string;
  /** Line of its first word, from 1. */
  readonly line: number;
  /** One line: words in capitals, names as `n`, texts as `s`, comments gone. */
  readonly bare: string;
}

const PIECES: Readonly<Record<Engine, RegExp>> = {
  mysql:
    /(?<comment>--(?=\s|$)[^\n]*|#[^\n]*|\/\*(?![!M+]).*?\*\/)|(?<text>'(?:[^'\\]|''|\\.)*'|"(?:[^"\\]|""|\\.)*")|(?<name>`(?:[^`]|``)*`)|(?<end>;)|(?<other>[^\s;'"`#/-]+|\s+|.)/gsu,
  postgres:
    /(?<comment>--[^\n]*|\/\*.*?\*\/)|(?<text>(?<![\w$])[eE]'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*'|\$(?<tag>[A-Za-z_]\w*|)\$.*?\$\k<tag>\$)|(?<name>"(?:[^"]|"")*")|(?<end>;)|(?<other>[^\s;'"$eE/-]+|\s+|.)/gsu,
};

/** Throws ROWFERRY_CONFIG_INVALID for a quote that does not end. */
export function splitStatements(text: string, engine: Engine, file: string): ScriptStatement[] {
  const statements: ScriptStatement[] = [];
  let sql = '';
  let bare = '';
  let line = 1;
  let startLine = 1;
  const finish = (): void => {
    if (sql !== '') statements.push({ sql: sql.trimEnd(), line: startLine, bare: bareText(bare) });
    sql = '';
    bare = '';
  };
  for (const { 0: piece, groups = {} } of text.matchAll(PIECES[engine])) {
    const isComment = groups['comment'] !== undefined;
    if (groups['end'] !== undefined) finish();
    else if (isComment || piece.trim() === '') {
      // What leads a statement is not part of it.
      if (sql !== '') sql += piece;
      bare += ' ';
    } else {
      if (piece === "'" || piece === '"' || (piece === '`' && engine === 'mysql')) throw unended(file, line);
      if (sql === '') startLine = line;
      sql += piece;
      bare += groups['text'] !== undefined ? '‹s›' : groups['name'] !== undefined ? '‹n›' : piece;
    }
    line += piece.split('\n').length - 1;
  }
  finish();
  return statements;
}

/** Names and texts are in small letters, so that no word can be taken for one. */
function bareText(text: string): string {
  const words = text.replace(/\s+/g, ' ').trim().toUpperCase();
  return words.replaceAll('‹N›', 'n').replaceAll('‹S›', 's');
}

function unended(file: string, line: number): RowferryError {
  return new RowferryError('ROWFERRY_SCHEMA_REFUSED', `${file}:${line}: a quote begins that does not end`, {
    hint: 'mend the file',
  });
}

/** What may run unattended: it adds, and takes nothing away. */
const ADDS: readonly RegExp[] = [
  /^CREATE TABLE\b/,
  /^CREATE (?:SCHEMA|DATABASE|SEQUENCE|COLLATION|EXTENSION|VIEW|DOMAIN|TYPE)\b/,
  /^COMMENT ON\b/,
  /^ALTER SEQUENCE \S+ OWNED BY \S+$/,
];

const TABLE = /^ALTER TABLE (?:ONLY )?\S+ (.*)$/;
const ACTION = /^(?:ADD\b(?! PARTITION)|ALTER (?:COLUMN )?\S+ SET DEFAULT\b|(?:ALGORITHM|LOCK) ?=? ?\w+$)/;
const ONLINE = /\b(?:LOCK ?=? ?NONE|ALGORITHM ?=? ?INSTANT)\b/;

/**
 * Why a statement must not run unattended; null when it may. Only forms that are known to add are let through: whatever
 * drops, narrows, renames, rewrites or changes rows is for an operator.
 */
export function refusalOf({ bare, sql }: ScriptStatement, engine: Engine): string | null {
  if (engine === 'mysql' && /\/\*[!M]/.test(sql)) return 'it holds a comment that the server may carry out';
  if (ADDS.some((form) => form.test(bare))) return null;
  const isIndex = /^CREATE (?:UNIQUE |FULLTEXT )?INDEX\b/.test(bare);
  const actions = TABLE.exec(bare)?.[1];
  if (!isIndex && actions === undefined) return 'it is not of a form that only adds';
  const refused =
    actions === undefined ? undefined : topLevel(actions).find((action) => !ACTION.test(action));
  if (refused !== undefined) return `${refused.split(' ').slice(0, 2).join(' ')} does more than add`;
  // Making a full-text index keeps writers out on every server.
  if (engine === 'mysql' && !ONLINE.test(bare) && !/\bFULLTEXT\b/.test(bare))
    return 'it may lock the table: add LOCK=NONE';
  return null;
}

function topLevel(text: string): string[] {
  const parts = [''];
  let depth = 0;
  for (const letter of text) {
    depth += letter === '(' ? 1 : letter === ')' ? -1 : 0;
    if (letter === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += letter;
  }
  return parts.map((part) => part.trim());
}
