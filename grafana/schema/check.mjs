// Checks boards against Grafana's published types: node grafana/schema/check.mjs FOLDER [BOARD.json …]
//
// FOLDER holds node_modules with @grafana/schema and typescript, and what this writes: the types, with their enums as
// unions of literals (JSON has no enums), each board as a typed constant, and broken ones, which must be refused. Without
// boards all of grafana/dashboards are checked.
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { broken } from './broken.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const [folder, ...named] = process.argv.slice(2);
if (!folder) {
  console.error('usage: node grafana/schema/check.mjs FOLDER [BOARD.json …]\n\nhint: FOLDER is where npm put @grafana/schema');
  process.exit(2);
}
const modules = resolve(folder, 'node_modules');
const ts = createRequire(join(modules, 'x.js'))('typescript');
const work = resolve(folder, 'boards');
const types = join(work, 'types');

// Enums as unions. A namespace of the same name keeps `Enum.Member`, which the types use as a type.
function unions(text) {
  return text.replace(/export declare enum (\w+) \{([^}]*)\}/g, (_, name, body) => {
    const bare = body.replace(/\/\*[^]*?\*\//g, '');
    const members = [...bare.matchAll(/(\w+)\s*=\s*("[^"]*"|-?\d+)/g)];
    if (members.length === 0) throw new Error(`the enum ${name} has no members that can be read`);
    const values = members.map(([, , value]) => value).join(' | ');
    // Words of the language are no names of types; nor does any type use these members.
    const named = members.filter(([, member]) => !['never', 'unknown'].includes(member));
    const inside = named.map(([, member, value]) => `    type ${member} = ${value};`).join('\n');
    return `export type ${name} = ${values};\nexport declare namespace ${name} {\n${inside}\n}`;
  });
}

function rewrite(at) {
  let count = 0;
  for (const name of readdirSync(at)) {
    const path = join(at, name);
    if (statSync(path).isDirectory()) count += rewrite(path);
    else if (name.endsWith('.d.ts')) {
      const text = readFileSync(path, 'utf8');
      const made = unions(text);
      if (/declare enum/.test(made)) throw new Error(`${path} still has an enum`);
      count += made === text ? 0 : 1;
      writeFileSync(path, made);
    }
  }
  return count;
}

rmSync(work, { recursive: true, force: true });
mkdirSync(work, { recursive: true });
cpSync(join(modules, '@grafana/schema/dist/types'), types, { recursive: true });
if (rewrite(types) === 0) throw new Error('the published types have no enums: are they where they were?');
cpSync(join(here, 'board.ts'), join(work, 'board.ts'));

const boards = named.length > 0
  ? named
  : readdirSync(join(here, '../dashboards')).sort().map((name) => join(here, '../dashboards', name));
const constant = (json) => `import type { Board } from './board';\nexport const board: Board = ${json};\n`;
const files = new Map();
const write = (name, json, what) => {
  const path = join(work, `${name}.ts`);
  writeFileSync(path, constant(json));
  files.set(path, what);
};
boards.forEach((path, number) => write(`board-${number}`, readFileSync(path, 'utf8'), { path, good: true }));
const example = readFileSync(join(here, '../dashboards/network.json'), 'utf8');
Object.entries(broken).forEach(([why, spoil], number) => {
  const board = JSON.parse(example);
  spoil(board);
  write(`broken-${number}`, JSON.stringify(board, null, 2), { why, good: false });
});

const program = ts.createProgram([...files.keys()], {
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  noEmit: true,
  paths: { '@grafana/schema': [join(types, 'index.d.ts')], '@grafana/schema/*': [join(types, '*')] },
  skipLibCheck: false,
  strict: true,
  target: ts.ScriptTarget.ES2022,
  types: [],
});
const told = (diagnostic) => {
  const { line } = diagnostic.file.getLineAndCharacterOfPosition(diagnostic.start);
  return `line ${line}: ${ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n  ')}`;
};
let failed = false;
// Types that do not hold together would pass anything.
const ours = program.getSourceFiles().filter((source) => source.fileName.startsWith(work) && !files.has(source.fileName));
const general = [...program.getOptionsDiagnostics(), ...program.getGlobalDiagnostics()];
for (const diagnostic of [...general, ...ours.flatMap((source) => program.getSemanticDiagnostics(source))]) {
  failed = true;
  console.error(ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n'));
}
for (const [path, { path: of, why, good }] of files) {
  const source = program.getSourceFile(path);
  const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
  if (good && found.length > 0) {
    failed = true;
    console.error(`${of} is no board:\n${found.slice(0, 5).map(told).join('\n')}`);
  }
  if (!good && found.length === 0) {
    failed = true;
    console.error(`the types let through a board that is wrong: ${why}`);
  }
}
if (failed) process.exit(1);
const version = JSON.parse(readFileSync(join(modules, '@grafana/schema/package.json'), 'utf8')).version;
console.log(`${boards.length} boards are what @grafana/schema ${version} says; ${Object.keys(broken).length} broken ones were refused`);
