// Fails on any import between packages that the house does not draw, on undeclared ones, and on Node modules in universal packages.
import { join, relative, resolve } from 'node:path';
import { filesBelow, workspaces } from './files.mjs';
import { importsOf, isNodeOnly, reachable, resolveRelative } from './imports.mjs';

const machine = ['shaders', 'gpu', 'tensor'];
const method = ['shaders', 'gpu', 'tensor', 'hooks', 'tasks'];
const methods = ['attribution', 'transcoders', 'dit', 'steering'];
const everything = [...machine, 'hooks', 'gpt2', 'tasks', ...methods, 'report', 'pocket', 'software-vulkan'];

/** What the source of a package may import from its neighbours. A package that is not named here is a mistake. */
const arrows = {
  shaders: [],
  gpu: ['shaders', 'software-vulkan'],
  'software-vulkan': [],
  tensor: ['shaders', 'gpu'],
  hooks: ['gpu', 'tensor'],
  gpt2: ['gpu', 'tensor', 'hooks'],
  tasks: [],
  ...Object.fromEntries(methods.map((name) => [name, method])),
  report: [],
  pocket: ['tasks'],
  limn: everything,
  examples: [...everything, 'limn', 'tooling'],
  bench: [...everything, 'limn', 'testing', 'tooling'],
  testing: ['shaders', 'gpu', 'software-vulkan', 'tensor', 'hooks'],
  tooling: [],
};
/** Tests may besides import `testing` and `tooling`, and these: methods are proved on a real architecture and on pocket, text tasks on a real tokenizer. */
const testsAlso = {
  ...Object.fromEntries(methods.map((name) => [name, ['gpt2', 'pocket']])),
  gpt2: ['pocket', 'tasks'],
  tasks: ['gpt2'],
};
const universal = [
  'gpu',
  'tensor',
  'hooks',
  'gpt2',
  'attribution',
  'tasks',
  'report',
  'transcoders',
  'dit',
  'steering',
];

const root = resolve(process.argv[2] ?? join(import.meta.dirname, '../..'));
const packages = workspaces(root);
const faults = [];
let files = 0;

for (const { home, manifest } of packages) {
  const name = manifest.name.replace('@limn/', '');
  const fault = (file, text) => faults.push(`${relative(root, file)}: ${text}`);
  if (!arrows[name]) {
    fault(`${home}/package.json`, `${manifest.name} has no arrows; add it to packages/tooling/check-boundaries.mjs`);
    continue;
  }
  const shipped = { ...manifest.dependencies, ...manifest.peerDependencies };
  const declared = new Set([...Object.keys(shipped), manifest.name]);
  for (const dependency of Object.keys(shipped)) {
    const neighbour = neighbourOf(dependency);
    if (neighbour && !arrows[name].includes(neighbour))
      fault(`${home}/package.json`, `${manifest.name} may not depend on ${dependency}`);
  }
  for (const file of filesBelow(home, /\.(ts|tsx|mts|mjs)$/)) {
    files++;
    const path = relative(home, file);
    const isTest = path.startsWith('test/') || name === 'testing' || name === 'tooling' || !path.includes('/');
    const allowed = isTest
      ? [...arrows[name], name, 'testing', 'tooling', ...(testsAlso[name] ?? [])]
      : [...arrows[name], name];
    for (const specifier of importsOf(file)) {
      const neighbour = neighbourOf(specifier);
      if (specifier.startsWith('.')) {
        const target = resolveRelative(file, specifier) ?? resolve(file, '..', specifier);
        if (relative(home, target).startsWith('..') && relative(root, target).includes('/'))
          fault(file, `'${specifier}' reaches into another package; import it by its name`);
      } else if (neighbour && !allowed.includes(neighbour))
        fault(file, `${manifest.name} may not import ${specifier}; allowed: ${allowed.join(', ') || 'nothing'}`);
      else if (!isTest && !manifest.private && !specifier.startsWith('node:') && !declared.has(packageOf(specifier)))
        fault(file, `'${packageOf(specifier)}' is not among the dependencies of ${manifest.name}`);
    }
  }
  if (universal.includes(name))
    for (const [entry, conditions] of Object.entries(manifest.exports ?? {}))
      if (!/node|cli|worker/.test(entry) && conditions['limn-source'])
        for (const [file, specifier] of reachable(resolve(home, conditions['limn-source'])))
          if (isNodeOnly(specifier))
            fault(file, `'${specifier}' is reachable from ${manifest.name} '${entry}', which must run in a browser`);
}

/** 'gpu' for '@limn/gpu/node' and 'limn' for 'limn'; undefined for packages of others. */
function neighbourOf(specifier) {
  return /^@limn\/([^/]+)/.exec(specifier)?.[1] ?? (/^limn(\/|$)/.test(specifier) ? 'limn' : undefined);
}

function packageOf(specifier) {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

for (const line of new Set(faults)) console.error(line);
console.log(`${packages.length} packages, ${files} files, ${faults.length} forbidden imports`);
process.exitCode = faults.length ? 1 : 0;
