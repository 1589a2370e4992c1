// Package chat renders the messages of a conversation with the chat template
// of a model: the Jinja program in tokenizer_config.json, chat_template.jinja
// or a GGUF file that says how the model wants to be spoken to.
//
// It interprets the part of Jinja that templates use, as transformers'
// apply_chat_template does: trim_blocks and lstrip_blocks are on, the values
// are Python's (truth, str(), slices, methods of str, list and dict), the
// tojson filter is json.dumps, and raise_exception, strftime_now, namespace,
// break, continue and {% generation %} exist. Statements that reach for other
// files (include, import, extends, block) do not.
//
// A template is somebody else's program. It sees the values it is given and
// nothing of Go's, changes none of them, and runs within Limits: a template
// that loops, recurses or grows without end is an *Error.
//
// Differences to Python that are known: integers have 64 bits and overflow is
// an error; what the filters safe and escape give is Markup for + only; sets, bytes and complex numbers do not exist; a variable of the caller stays
// visible in the inner blocks of a loop or macro until the statement that sets
// one of its name there has run; an unknown filter is an error when it is
// reached.
package chat
