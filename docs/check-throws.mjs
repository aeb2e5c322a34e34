// Finds public functions whose docstring is silent about an error: @throws must name every code, or its family, or another function.
// Followed are the body and what it calls by name in its package, but not functions that record on a step, which have docstrings of their
// own, nor constructors and functions handed over in objects. So it finds most, not all; what it finds is there.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import ts from 'typescript';

const root = resolve(process.argv[2] ?? join(import.meta.dirname, '..'));
const { entryPoints, packageOptions } = JSON.parse(readFileSync(join(root, 'docs/typedoc.json'), 'utf8'));
const parsed = new Map();
const missing = [];
let checked = 0;

for (const folder of entryPoints)
  for (const entry of packageOptions.entryPoints) {
    const file = resolve(root, 'docs', folder, entry);
    if (existsSync(file)) for (const [path, name] of exportsOf(file).values()) checkExport(path, name);
  }
for (const line of missing.sort()) console.error(line);
console.log(`${checked} public functions that throw, ${missing.length} with codes that @throws does not name`);
process.exitCode = missing.length > 0 ? 1 : 0;

/** Top-level declarations of a file by name. */
function parse(path) {
  const known = parsed.get(path);
  if (known) return known;
  const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true);
  const declarations = new Map();
  for (const statement of source.statements) {
    if ((ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)) && statement.name) {
      // Of overloads the last one has the body; each may carry the docstring.
      const name = statement.name.text;
      declarations.set(name, [...(declarations.get(name) ?? []), statement]);
    }
    if (ts.isVariableStatement(statement))
      for (const declaration of statement.declarationList.declarations)
        if (ts.isIdentifier(declaration.name)) declarations.set(declaration.name.text, [statement]);
  }
  const file = { source, declarations, imports: new Map() };
  parsed.set(path, file);
  return file;
}

/** What a module exports, through re-exports: public name → [file, name there]. */
function exportsOf(path) {
  const names = new Map();
  const { source, declarations } = parse(path);
  for (const statement of source.statements) {
    const exported =
      ts.canHaveModifiers(statement) && ts.getModifiers(statement)?.some((m) => m.kind === ts.SyntaxKind.ExportKeyword);
    if (exported) for (const [name, of] of declarations) if (of.includes(statement)) names.set(name, [path, name]);
    if (!ts.isExportDeclaration(statement) || statement.isTypeOnly) continue;
    const from = statement.moduleSpecifier?.text;
    if (from !== undefined && !from.startsWith('.')) continue;
    const target = from === undefined ? path : resolve(dirname(path), from.replace(/\.js$/, '.ts'));
    const there = from === undefined ? undefined : exportsOf(target);
    if (!statement.exportClause) for (const [name, place] of there) names.set(name, place);
    else if (ts.isNamedExports(statement.exportClause))
      for (const { name, propertyName, isTypeOnly } of statement.exportClause.elements) {
        const inner = (propertyName ?? name).text;
        const place = there ? there.get(inner) : [path, inner];
        if (!isTypeOnly && place) names.set(name.text, place);
      }
  }
  return names;
}

function checkExport(path, name) {
  const { declarations } = parse(path);
  const nodes = declarations.get(name) ?? [];
  for (const node of nodes) {
    if (!ts.isClassDeclaration(node)) continue;
    for (const member of node.members) {
      const hidden = ts.getModifiers(member)?.some((m) => m.kind === ts.SyntaxKind.PrivateKeyword);
      if (hidden || !(ts.isMethodDeclaration(member) || ts.isAccessor(member) || ts.isConstructorDeclaration(member)))
        continue;
      if (member.name && ts.isPrivateIdentifier(member.name)) continue;
      const label = `${name}${ts.isConstructorDeclaration(member) ? '' : `.${member.name.getText()}`}`;
      const docs = ts.isConstructorDeclaration(member) ? [member, node] : [member];
      // A member without a docstring has that of the interface.
      if (node.heritageClauses && docs.every((each) => docstring(each) === '')) continue;
      report(path, label, [member], docs, node);
    }
    return;
  }
  // What gives an error back does not throw it.
  if (nodes.length > 0 && !nodes.some((node) => node.type?.getText().endsWith('Error')))
    report(path, name, nodes, nodes);
}

function report(path, label, bodies, documented, owner) {
  const codes = codesOf(path, bodies, owner);
  if (codes.size === 0) return;
  const text = documented.map((node) => docstring(node)).join('\n');
  if (text.includes('@internal')) return;
  checked++;
  const named = text.includes('@throws') ? text : '';
  const unnamed = [...codes].filter((code) => !names(named, code));
  if (unnamed.length > 0) missing.push(`${relative(root, path)}: ${label} throws ${unnamed.sort().join(', ')}`);
}

/** Whether a text names a code: whole, as one of a family such as `tensor/…` or `data/pairs-…`, or with "as `another`". */
function names(text, code) {
  const families = [...text.matchAll(/`([a-z0-9/-]+)…`/g)].map(([, beginning]) => beginning);
  return (
    text.includes(`\`${code}\``) ||
    families.some((beginning) => code.startsWith(beginning)) ||
    /\bas (a run|the method|`|\{@link )/.test(text)
  );
}

function docstring(node) {
  return ts
    .getJSDocCommentsAndTags(node)
    .map((doc) => doc.getText().replaceAll(/\s*\n\s*\*\s*/g, ' '))
    .join('\n');
}

/** Codes of the errors made in these bodies and in the functions of the same file that they call. */
function codesOf(path, bodies, owner, seen = new Set()) {
  const codes = new Set();
  const follow = (file, nodes, of) => {
    for (const node of nodes) {
      if (seen.has(node)) continue;
      seen.add(node);
      for (const code of codesOf(file, [node], of, seen)) codes.add(code);
    }
  };
  const visit = (node) => {
    // A function handed on under a name is someone else's to call.
    if (ts.isArrowFunction(node) && ts.isPropertyAssignment(node.parent)) return;
    if (ts.isTryStatement(node) && node.catchClause && !throwsIn(node.catchClause)) {
      visit(node.catchClause);
      if (node.finallyBlock) visit(node.finallyBlock);
      return;
    }
    if (ts.isNewExpression(node) && node.expression.getText().endsWith('Error'))
      for (const code of literals(node.arguments?.[0])) codes.add(code);
    if (ts.isCallExpression(node)) {
      const { expression } = node;
      if (ts.isIdentifier(expression)) {
        const [file, name] = importsOf(path).get(expression.text) ?? [path, expression.text];
        const nodes = parse(file).declarations.get(name) ?? [];
        if (file === path || !nodes.some(recordsWork)) follow(file, nodes);
      } else if (
        ts.isPropertyAccessExpression(expression) &&
        expression.expression.kind === ts.SyntaxKind.ThisKeyword &&
        owner
      )
        follow(
          path,
          owner.members.filter((m) => m.name?.getText() === expression.name.text),
          owner,
        );
    }
    ts.forEachChild(node, visit);
  };
  for (const body of bodies) ts.forEachChild(body, visit);
  return codes;
}

/** Whether a function takes a step first: it has a docstring and errors of its own. */
function recordsWork(node) {
  return ts.isFunctionDeclaration(node) && node.parameters[0]?.type?.getText() === 'Step';
}

/** Where the imported names of a file come from, within its package. */
function importsOf(path) {
  const { source, imports } = parse(path);
  if (imports.size > 0) return imports;
  for (const statement of source.statements) {
    if (!ts.isImportDeclaration(statement) || !statement.moduleSpecifier.text.startsWith('.')) continue;
    const from = resolve(dirname(path), statement.moduleSpecifier.text.replace(/\.js$/, '.ts'));
    const bindings = statement.importClause?.namedBindings;
    if (!bindings || !ts.isNamedImports(bindings) || !existsSync(from)) continue;
    for (const { name, propertyName } of bindings.elements) imports.set(name.text, [from, (propertyName ?? name).text]);
  }
  return imports;
}

function throwsIn(node) {
  return ts.isThrowStatement(node) || (ts.forEachChild(node, (child) => throwsIn(child) || undefined) ?? false);
}

/** Codes among the literals of an expression: 'hooks/bad-axes', or both of a condition. */
function literals(node) {
  if (!node) return [];
  if (ts.isStringLiteralLike(node)) return /^[a-z0-9]+\/[a-z0-9-]+$/.test(node.text) ? [node.text] : [];
  if (ts.isConditionalExpression(node)) return [...literals(node.whenTrue), ...literals(node.whenFalse)];
  return [];
}
