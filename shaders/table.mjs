// The table of README.md, made from the WGSL files and from where they are used: kernel, equation, bindings, variants, op, test.
// node shaders/table.mjs --write puts it into README.md; a test of @limn/tensor checks that it is there and current.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exportName, readShaders } from './build.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const readme = join(root, 'shaders/README.md');
const START = '<!-- table: node shaders/table.mjs --write -->';
const END = '<!-- end of table -->';

/** Every .ts file below packages/<package>/<part>, as paths from the repository's root. */
function sources(part) {
  return readdirSync(join(root, 'packages'))
    .filter((name) => existsSync(join(root, 'packages', name, part)))
    .flatMap((name) =>
      readdirSync(join(root, 'packages', name, part), { recursive: true })
        .map((path) => `packages/${name}/${part}/${String(path).replaceAll('\\', '/')}`)
        .filter((path) => path.endsWith('.ts')),
    )
    .sort();
}

/** The files that dispatch a kernel: they name it as shaders.<export>. */
function usersOf(kernel, files) {
  const word = new RegExp(`\\bshaders\\.${exportName(kernel.name)}\\b`);
  return files.filter(({ text }) => word.test(text)).map(({ path }) => path);
}

/** The test of an op: the one named for it, else the first of its package that calls one of its exports. */
function testOf(op, tests) {
  const home = op.split('/').slice(0, 2).join('/');
  const own = tests.filter(({ path }) => path.startsWith(`${home}/`) && path.endsWith('.test.ts'));
  const stem = basename(op, '.ts');
  const named = own.find(({ path }) => basename(path, '.test.ts') === stem);
  if (named) return named.path;
  const text = readFileSync(join(root, op), 'utf8');
  const names = [...text.matchAll(/^export (?:async )?(?:function|const|class) (\w+)/gm)].map((match) => match[1]);
  return own.find((test) => names.some((name) => new RegExp(`\\b${name}\\b`).test(test.text)))?.path;
}

/** The files of an op's package that import it. */
function importersOf(op, files) {
  const home = op.split('/').slice(0, 3).join('/');
  const line = new RegExp(`from '[^']*/${basename(op, '.ts')}\\.js'`);
  return files.filter(({ path, text }) => path.startsWith(`${home}/`) && line.test(text)).map(({ path }) => path);
}

/** A cell's text: bars would end it. */
function cell(text) {
  return text.replaceAll('|', '\\|');
}

/** One row per kernel, and the problems found: a kernel without op or op without test. */
export function tableRows() {
  const { kernels } = readShaders(join(root, 'shaders/src'));
  const load = (part) => sources(part).map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
  const files = load('src');
  const tests = load('test');
  const problems = [];
  const rows = kernels.map((kernel) => {
    const ops = usersOf(kernel, files);
    if (ops.length === 0) problems.push(`${kernel.file}: no op uses it`);
    // What an op shares with others is tested through them.
    const testsOf = (op) => testOf(op, tests) ?? importersOf(op, files).map((user) => testOf(user, tests))[0];
    const found = [...new Set(ops.map(testsOf).filter(Boolean))];
    if (ops.length > 0 && found.length === 0) problems.push(`${kernel.file}: no test for ${ops.join(', ')}`);
    const bindings = kernel.bindings.map(({ name, access }) => (access === 'read' ? name : `**${name}**`)).join(', ');
    const variants = [
      ...(kernel.uses.includes('elem') ? ['f32, f16'] : []),
      ...(kernel.uses.includes('reduce') ? ['tree, subgroup'] : []),
      ...kernel.requires.map((feature) => `needs ${feature}`),
    ].join('; ');
    const link = (path) => `[${basename(path)}](../${path})`;
    const equation = kernel.code.split('\n')[0].slice(3);
    const cells = [
      `[${kernel.name}](src/${kernel.file})`,
      cell(equation),
      bindings,
      variants || '–',
      ops.map(link).join(' '),
      found.map(link).join(' '),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return { rows, problems };
}

/** The whole table in Markdown. */
export function renderTable() {
  const head = '| kernel | equation | bindings (**written**) | variants | op | test |\n|---|---|---|---|---|---|';
  return `${START}\n${head}\n${tableRows().rows.join('\n')}\n${END}`;
}

/** The table as it stands in README.md, with its markers. */
export function writtenTable() {
  const text = readFileSync(readme, 'utf8');
  return text.slice(text.indexOf(START), text.indexOf(END) + END.length);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--write')) {
    const text = readFileSync(readme, 'utf8');
    writeFileSync(
      readme,
      text.replace(writtenTable(), () => renderTable()),
    );
  } else console.log(renderTable());
  const { problems } = tableRows();
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length > 0 ? 1 : 0;
}
