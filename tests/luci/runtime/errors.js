/** LuCI's errors: a name, and a message with placeholders. */
import { format } from './format.js';

/** Throws an error called `type`; an Error given in place of a type is thrown as it is, with the text before its message. */
export function raise(type, text, ...args) {
	let error;
	if (type instanceof Error) {
		error = type;
		if (text)
			error.message = `${format(text, ...args)}: ${error.message}`;
	}
	else {
		error = new (type === 'TypeError' ? TypeError : type === 'SyntaxError' ? SyntaxError : Error)(text ? format(text, ...args) : 'Unspecified error');
		error.name = type || error.name;
	}
	throw error;
}
