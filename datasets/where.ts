/** `--where`: which rows of a table are read. The only file that imports the expression parser. */
import jsep from "jsep";
import { PlatestreamError } from "../common/errors.ts";
import type { Table } from "./csv-table.ts";
import { findColumn } from "./find-roles.ts";

jsep.addBinaryOp("=~", 6);
jsep.addBinaryOp("in", 7);
jsep.addBinaryOp("and", 2);
jsep.addBinaryOp("or", 1);
jsep.addUnaryOp("not");

type Value = string | number | boolean | readonly string[];
type Evaluate = (row: number) => Value;

/**
 * Compiles an expression over the columns of a table: `Metadata_Site != "IXMtest" and Metadata_Plate in ["P1", "P2"]`.
 *
 * Comparisons `== != < <= > >=` are between numbers where both sides are numbers, between texts elsewhere; `=~` matches a
 * regular expression, `in` looks into a list; `and or not`, or `&& || !`, combine. Names of columns are found without
 * regard to case and `Metadata_`; one that is not an identifier is written `column("my name")`.
 *
 * @throws PlatestreamError `invalid-config`: no expression, or a column that the table lacks
 */
export const compileWhere = (text: string, table: Table): ((row: number) => boolean) => {
  const fail = (reason: string) => new PlatestreamError("invalid-config", `--where "${text}": ${reason}`);
  let tree: jsep.Expression;
  try {
    tree = jsep(text);
  } catch (thrown) {
    throw fail((thrown as Error).message);
  }
  const evaluate = compile(tree, table, fail);
  return (row) => truth(evaluate(row));
};

type Fail = (reason: string) => PlatestreamError;

const compile = (node: jsep.Expression, table: Table, fail: Fail): Evaluate => {
  const of = (part: unknown) => compile(part as jsep.Expression, table, fail);
  switch (node.type) {
    case "Literal": {
      const value = (node as jsep.Literal).value as Value;
      return () => value;
    }
    case "Identifier":
      return field(String(node.name), table, fail);
    case "CallExpression": {
      const { callee, arguments: given } = node as jsep.CallExpression;
      const [name] = given as [jsep.Literal?];
      if (callee.name === "column" && typeof name?.value === "string") return field(name.value, table, fail);
      throw fail(`there is no function ${String(callee.name)}; column("my name") names a column`);
    }
    case "ArrayExpression": {
      const parts = (node as jsep.ArrayExpression).elements.map(of);
      return (row) => parts.map((part) => String(part(row)));
    }
    case "UnaryExpression": {
      const { operator, argument } = node as jsep.UnaryExpression;
      const value = of(argument);
      if (operator === "!" || operator === "not") return (row) => !truth(value(row));
      if (operator === "-") return (row) => -Number(value(row));
      throw fail(`unknown operator ${operator}`);
    }
    case "BinaryExpression": {
      const { operator, left, right } = node as jsep.BinaryExpression;
      return binary(operator, of(left), of(right), right, fail);
    }
    default:
      throw fail(`"${node.type}" has no meaning here; compare columns with values, as in Metadata_Site != "IXMtest"`);
  }
};

const binary = (operator: string, left: Evaluate, right: Evaluate, pattern: jsep.Expression, fail: Fail): Evaluate => {
  switch (operator) {
    case "&&":
    case "and":
      return (row) => truth(left(row)) && truth(right(row));
    case "||":
    case "or":
      return (row) => truth(left(row)) || truth(right(row));
    case "==":
    case "===":
      return (row) => compare(left(row), right(row)) === 0;
    case "!=":
    case "!==":
      return (row) => compare(left(row), right(row)) !== 0;
    case "<":
      return (row) => compare(left(row), right(row)) < 0;
    case "<=":
      return (row) => compare(left(row), right(row)) <= 0;
    case ">":
      return (row) => compare(left(row), right(row)) > 0;
    case ">=":
      return (row) => compare(left(row), right(row)) >= 0;
    case "in":
      return (row) => {
        const list = right(row);
        return Array.isArray(list) && list.some((each) => compare(left(row), each) === 0);
      };
    case "=~": {
      const regex = regexOf(pattern, fail);
      return (row) => regex.test(String(left(row)));
    }
    default:
      throw fail(`unknown operator ${operator}`);
  }
};

const regexOf = (pattern: jsep.Expression, fail: Fail): RegExp => {
  const text = (pattern as jsep.Literal).value;
  if (typeof text !== "string") throw fail('after =~ stands a pattern in quotes, as in Metadata_Site =~ "^[0-9]+$"');
  try {
    return new RegExp(text);
  } catch (thrown) {
    throw fail((thrown as Error).message);
  }
};

const field = (name: string, table: Table, fail: Fail): Evaluate => {
  const column = findColumn(table, name);
  if (column === undefined) throw fail(`${table.path} has no column ${name}; it has ${table.columns.join(", ")}`);
  return (row) => table.get(row, column);
};

const truth = (value: Value): boolean => value !== "" && value !== 0 && value !== false;

const compare = (a: Value, b: Value): number => {
  const [left, right] = [String(a), String(b)];
  const numbers = [Number(left), Number(right)] as const;
  if (left.trim() !== "" && right.trim() !== "" && !numbers.some(Number.isNaN)) return numbers[0] - numbers[1];
  return left < right ? -1 : left > right ? 1 : 0;
};
