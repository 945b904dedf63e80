// T5: what is exported says what it is for.

import ts from "typescript";
import type { Rule, Violation } from "../rule.ts";
import { lineOf } from "../syntax.ts";
import type { Tree } from "../tree.ts";

/** T5. Re-exports from another module need none: the comment stands where the thing is. */
export const docComments: Rule = {
  id: "T5",
  title: "every export of the packages has a doc comment",
  check: (tree) =>
    tree
      .sources("packages/forebay/src", "packages/forebay-cli/src")
      .flatMap((file) => check(tree, file)),
};

function check(tree: Tree, file: string): Violation[] {
  const source = tree.source(file);
  const documented = new Set<string>();
  const exported = new Map<string, ts.Node>();
  for (const statement of source.statements) {
    const isExported = hasExport(statement);
    for (const name of namesOf(statement)) {
      if (hasDocComment(statement)) documented.add(name);
      // Of overloads, one comment is enough, on the first.
      if (isExported && !exported.has(name)) exported.set(name, statement);
    }
    if (!ts.isExportDeclaration(statement) || statement.moduleSpecifier !== undefined) continue;
    if (statement.exportClause === undefined || !ts.isNamedExports(statement.exportClause))
      continue;
    for (const element of statement.exportClause.elements) {
      exported.set((element.propertyName ?? element.name).text, element);
    }
  }
  const imported = importedNames(source);
  return [...exported]
    .filter(([name]) => !documented.has(name) && !imported.has(name))
    .map(([name, node]) => ({
      path: file,
      line: lineOf(source, node),
      what: `\`${name}\` is exported without a doc comment`,
      fix: "Say in /** … */ what it is, its edge values, units and errors; or do not export it",
    }));
}

function hasExport(statement: ts.Statement): boolean {
  return (
    ts.canHaveModifiers(statement) &&
    (ts.getModifiers(statement) ?? []).some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)
  );
}

function hasDocComment(statement: ts.Statement): boolean {
  return ts
    .getJSDocCommentsAndTags(statement)
    .some((doc) => ts.isJSDoc(doc) && /[a-z]{2}/i.test(doc.getText()));
}

function namesOf(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.flatMap(({ name }) =>
      ts.isIdentifier(name)
        ? [name.text]
        : name.elements.flatMap((element) =>
            ts.isBindingElement(element) && ts.isIdentifier(element.name)
              ? [element.name.text]
              : [],
          ),
    );
  }
  if (
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement) ||
    ts.isEnumDeclaration(statement) ||
    ts.isModuleDeclaration(statement)
  ) {
    return statement.name === undefined ? ["default"] : [statement.name.text];
  }
  return [];
}

function importedNames(source: ts.SourceFile): Set<string> {
  const names = new Set<string>();
  for (const statement of source.statements) {
    if (!ts.isImportDeclaration(statement)) continue;
    const clause = statement.importClause;
    if (clause?.name !== undefined) names.add(clause.name.text);
    const bindings = clause?.namedBindings;
    if (bindings === undefined) continue;
    if (ts.isNamespaceImport(bindings)) names.add(bindings.name.text);
    else for (const element of bindings.elements) names.add(element.name.text);
  }
  return names;
}
