//! Static files: from a request and a held directory to the plan of an answer.
