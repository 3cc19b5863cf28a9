/*
 * message/content_part.h
 *		The parts of a content that is more than a text.
 *
 *		Each API calls them otherwise ("text", "input_text", "output_text" ...), so what a
 *		part says to a person is found by its fields and not by its type.
 */
#ifndef RAG_CONTENT_PART_H
#define RAG_CONTENT_PART_H

#include "base/compat.h"

#include "utils/jsonb.h"

/*
 * What tells what a part is: its "type", or a field that stands for it. NULL: nothing
 * does.
 */
extern const JsonbValue *rag_part_type(const JsonbValue *part, JsonbValue *buffer);

/*
 * What the part says to a person: a string, or the text, refusal or transcript of an
 * object. NULL: nothing, as an image, or thoughts of the model. The result may be in
 * *buffer.
 */
extern const JsonbValue *rag_part_text(const JsonbValue *part, JsonbValue *buffer);

/* Is it a part that is no text, and that a chat-completions API takes of a user? */
extern bool rag_part_is_media(const JsonbValue *part);

#endif /* RAG_CONTENT_PART_H */
