//! Compiled code: a script is compiled once and loaded by every run.
#![expect(unsafe_code, reason = "the engine's wrapper compiles and loads modules only")]

use std::ffi::CString;

use rquickjs::{Ctx, Error, Result, Value, qjs};

/// Code that this process compiled. The engine trusts what it loads, so it cannot be made otherwise.
#[derive(Clone)]
pub(crate) struct Code(Box<[u8]>);

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Code({} bytes)", self.0.len())
    }
}

impl Code {
    /// Compiles the text of an expression, the first line of which has that number. `bare`: without names and places,
    /// which cost memory in every engine; stack traces then name the functions alone.
    ///
    /// Errors: what does not parse, as an exception of the context.
    pub fn compile(ctx: &Ctx<'_>, source: &str, file: &str, first_line: i32, bare: bool) -> Result<Self> {
        let (text, name) = (CString::new(source)?, CString::new(file)?);
        let flags = qjs::JS_EVAL_TYPE_GLOBAL | qjs::JS_EVAL_FLAG_COMPILE_ONLY;
        let mut options = qjs::JSEvalOptions {
            version: i32::try_from(qjs::JS_EVAL_OPTIONS_VERSION).unwrap_or(1),
            eval_flags: i32::try_from(flags).unwrap_or(0),
            filename: name.as_ptr(),
            line_num: first_line,
        };
        let raw = ctx.as_raw().as_ptr();
        // SAFETY: the texts end in NUL and outlive the calls; the function is freed by `Value`, the buffer here
        unsafe {
            qjs::JS_UpdateStackTop(qjs::JS_GetRuntime(raw));
            let function = qjs::JS_Eval2(raw, text.as_ptr(), source.len() as _, &mut options);
            if qjs::JS_VALUE_GET_NORM_TAG(function) == qjs::JS_TAG_EXCEPTION {
                return Err(Error::Exception);
            }
            let mut length = 0;
            let strip = if bare { qjs::JS_WRITE_OBJ_STRIP_DEBUG } else { qjs::JS_WRITE_OBJ_STRIP_SOURCE };
            let flags = qjs::JS_WRITE_OBJ_BYTECODE | strip;
            let bytes = qjs::JS_WriteObject(raw, &mut length, function, i32::try_from(flags).unwrap_or(0));
            qjs::JS_FreeValue(raw, function);
            if bytes.is_null() {
                return Err(Error::Exception);
            }
            let code = std::slice::from_raw_parts(bytes, usize::try_from(length).unwrap_or(0)).into();
            qjs::js_free(raw, bytes.cast());
            Ok(Self(code))
        }
    }

    /// Loads it into a context and gives the expression's value.
    ///
    /// Errors: those of the engine (no memory), and what the expression throws.
    pub fn load<'js>(&self, ctx: &Ctx<'js>) -> Result<Value<'js>> {
        let raw = ctx.as_raw().as_ptr();
        let flags = i32::try_from(qjs::JS_READ_OBJ_BYTECODE).unwrap_or(0);
        // SAFETY: the bytes were written by `compile` of this very engine; both values are owned here, and evaluating
        // takes the function
        unsafe {
            let function = qjs::JS_ReadObject(raw, self.0.as_ptr(), self.0.len() as _, flags);
            if qjs::JS_VALUE_GET_NORM_TAG(function) == qjs::JS_TAG_EXCEPTION {
                return Err(Error::Exception);
            }
            let value = qjs::JS_EvalFunction(raw, function);
            if qjs::JS_VALUE_GET_NORM_TAG(value) == qjs::JS_TAG_EXCEPTION {
                return Err(Error::Exception);
            }
            Ok(Value::from_raw(ctx.clone(), value))
        }
    }
}

/// The bytes of a typed array or a buffer, copied: no code of the script may run while they are looked at in place.
pub(crate) fn bytes_of(value: &Value<'_>) -> Option<Vec<u8>> {
    let raw = value.ctx().as_raw().as_ptr();
    let (mut offset, mut length, mut unit) = (0, 0, 0);
    // SAFETY: the buffer's value is freed here; its bytes are copied before anything else of the engine is called
    unsafe {
        let of = value.as_raw();
        if let Some(whole) = rquickjs::ArrayBuffer::from_value(value.clone()) {
            return whole.as_bytes().map(<[u8]>::to_vec);
        }
        let buffer = qjs::JS_GetTypedArrayBuffer(raw, of, &mut offset, &mut length, &mut unit);
        if qjs::JS_VALUE_GET_NORM_TAG(buffer) == qjs::JS_TAG_EXCEPTION {
            qjs::JS_FreeValue(raw, qjs::JS_GetException(raw));
            return None;
        }
        let mut size = 0;
        let start = qjs::JS_GetArrayBuffer(raw, &mut size, buffer);
        let bytes = (!start.is_null() && offset + length <= size).then(|| {
            let from = start.add(usize::try_from(offset).unwrap_or(0));
            std::slice::from_raw_parts(from, usize::try_from(length).unwrap_or(0)).to_vec()
        });
        qjs::JS_FreeValue(raw, buffer);
        bytes
    }
}

/// The numbers of a `Float64Array`, where they lie.
///
/// # Safety
/// No code of the script runs while the numbers are looked at: it could move them.
pub(crate) unsafe fn floats_of<'v>(value: &'v Value<'_>) -> Option<&'v [f64]> {
    let array = value.as_object()?.as_typed_array::<f64>()?;
    // a buffer that was given away has no numbers
    let bytes = array.as_raw()?;
    // SAFETY: the bytes are the array's own as long as it lives and nobody moves them; of any place that is not
    // aligned there is no `Float64Array`
    let (before, floats, _) = unsafe { bytes.as_ref().align_to::<f64>() };
    before.is_empty().then_some(floats)
}

/// As [`floats_of`], to write there.
///
/// # Safety
/// As [`floats_of`]; nobody else looks at them meanwhile.
#[expect(clippy::mut_from_ref, reason = "the numbers are the engine's, not the value's")]
pub(crate) unsafe fn floats_in<'v>(value: &'v Value<'_>) -> Option<&'v mut [f64]> {
    let mut bytes = value.as_object()?.as_typed_array::<f64>()?.as_raw()?;
    // SAFETY: as above
    let (before, floats, _) = unsafe { bytes.as_mut().align_to_mut::<f64>() };
    before.is_empty().then_some(floats)
}

/// An object's address, to tell it from others while it lives.
pub(crate) fn identity(value: &Value<'_>) -> *const () {
    // SAFETY: an object's value holds a pointer, which is not followed
    unsafe { qjs::JS_VALUE_GET_PTR(value.as_raw()).cast_const().cast() }
}
