//! `service("accounting")`: calls to a service that the handler was given.

use super::answer::Answered;
use super::{encode, not_granted};
use crate::call::{Answer, Method, Request};
use crate::script::error::{HostError, ScriptResult};
use crate::script::pulse::outside;
use crate::script::state::{RunState, Stop, with_run};
use crate::script::{FailedCall, Outcome};
use rhai::{Dynamic, Engine, ImmutableString, NativeCallContext};
use std::sync::Arc;

/// One service, by name; holds nothing.
#[derive(Clone, Debug)]
struct Service(ImmutableString);

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Service>("service")
        .register_fn("service", open);
    for (name, method) in [
        ("get", Method::Get),
        ("head", Method::Head),
        ("post", Method::Post),
        ("put", Method::Put),
        ("patch", Method::Patch),
        ("delete", Method::Delete),
    ] {
        engine
            .register_fn(
                name,
                move |context: NativeCallContext, it: &mut Service, path: Dynamic| {
                    call(&context, it, method, &path, &Dynamic::UNIT, &Dynamic::UNIT)
                },
            )
            .register_fn(
                name,
                move |context: NativeCallContext,
                      it: &mut Service,
                      path: Dynamic,
                      second: Dynamic| {
                    match method {
                        // These have no body as a rule, so what follows the path are options.
                        Method::Get | Method::Head | Method::Delete => {
                            call(&context, it, method, &path, &Dynamic::UNIT, &second)
                        }
                        Method::Post | Method::Put | Method::Patch => {
                            call(&context, it, method, &path, &second, &Dynamic::UNIT)
                        }
                    }
                },
            )
            .register_fn(
                name,
                move |context: NativeCallContext,
                      it: &mut Service,
                      path: Dynamic,
                      body: Dynamic,
                      options: Dynamic| {
                    call(&context, it, method, &path, &body, &options)
                },
            );
    }
}

pub(in crate::script) fn not_given(name: &str, granted: &[Arc<str>]) -> HostError {
    let add = format!("\"{name}\" to `services = […]`");
    not_granted("service", name, &add, granted.iter().map(|it| &**it))
}

fn open(context: NativeCallContext, name: ImmutableString) -> ScriptResult<Service> {
    with_run(&context, |run| {
        let granted = &run.attempt.grants.services;
        if granted.iter().any(|it| **it == *name) {
            return Ok(Service(name));
        }
        Err(not_given(&name, granted).into())
    })
}

fn call(
    context: &NativeCallContext,
    service: &Service,
    method: Method,
    path: &Dynamic,
    body: &Dynamic,
    options: &Dynamic,
) -> ScriptResult<Answered> {
    with_run(context, |run| {
        let request = encode::request(&service.0, method, path, body, options)?;
        run.calls += 1;
        let calls_max = run.limits.calls_max;
        if calls_max < run.calls {
            return Err(Stop::limit(
                HostError::new(format!("one event may make at most {calls_max} calls"))
                    .help("a higher `calls_max` in [limits] of handlers.toml allows more"),
            ));
        }
        answer(run, request)
    })
}

fn answer(run: &mut RunState, request: Request) -> Result<Answered, Stop> {
    let Some(answer) = outside(|| run.world.answer(&request))? else {
        return Err(Outcome::Needs(request).into());
    };
    run.answers.push(Arc::clone(&answer));
    if answer.is_accepted_by(&request) {
        return Ok(Answered::new(answer));
    }
    Err(refused(&request, &answer).into())
}

const FAILED_TEXT_CHARS_MAX: usize = 500;

fn refused(request: &Request, answer: &Answer) -> HostError {
    let Request {
        service,
        method,
        path,
        ..
    } = request;
    let status = answer.status;
    HostError::new(format!(
        "`{service}` answered {status} to {} {path}",
        method.as_str()
    ))
    .help(format!(
        "to look at this answer yourself, pass `#{{ accept: [{status}] }}` as the last value"
    ))
    .call(FailedCall {
        service: service.clone(),
        method: *method,
        path: path.clone(),
        status,
        text: answer.text.chars().take(FAILED_TEXT_CHARS_MAX).collect(),
        retry_after: answer.headers.get("retry-after").cloned(),
    })
}
